// The viewer in a Firefox with default settings, and then in Chromium, on a machine with an address of a network. Run it
// in a network namespace of its own, as firefox_test.go does: it uses Marionette's default port.
//   node firefox.mjs FIREFOX PROFILE_DIRECTORY
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { out, settled, until, withBrowser, withServer } from "./lib.mjs";

const [firefox, profile] = process.argv.slice(2);
const id = "firefox";

/** Runs `work` with a headless Firefox on a new profile, and ends it whatever happens. */
async function withFirefox(work) {
  const args = ["--headless", "--marionette", "--no-remote", "--profile"];
  const size = ["--width", "1280", "--height", "720"];
  const browser = spawn(firefox, [...args, profile, ...size], {
    stdio: "ignore",
    env: { ...process.env, HOME: profile },
  });
  const ended = new Promise((resolve) => browser.on("close", resolve));
  browser.on("error", () => {}); // "close" follows, and nobody answers
  try {
    const marionette = await Marionette.connect(2828);
    await marionette.send("WebDriver:NewSession", {});
    return await work(marionette);
  } finally {
    browser.kill();
    await ended;
  }
}

/**
 * A client of Firefox's Marionette protocol, on which geckodriver is built: JSON arrays with their length in front,
 * [0, id, command, parameters] out, [1, id, error, result] back, and a greeting first.
 */
class Marionette {
  #socket;
  #received = Buffer.alloc(0);
  #waiting = new Map();
  #next = 1;

  static connect(port) {
    const attempt = () =>
      new Promise((resolve, reject) => {
        const socket = connect(port, "127.0.0.1");
        socket.once("connect", () => resolve(new Marionette(socket)));
        socket.once("error", reject);
      });
    return until("Firefox", attempt);
  }

  constructor(socket) {
    this.#socket = socket;
    socket.on("data", (data) => this.#receive(data));
    socket.on("close", () => {
      for (const { reject } of this.#waiting.values())
        reject(new Error("Firefox has gone"));
    });
  }

  #receive(data) {
    this.#received = Buffer.concat([this.#received, data]);
    for (;;) {
      const colon = this.#received.indexOf(":");
      const end = colon + 1 + Number(this.#received.subarray(0, colon));
      if (colon < 0 || this.#received.length < end) return;
      const message = JSON.parse(this.#received.subarray(colon + 1, end));
      this.#received = this.#received.subarray(end);
      if (!Array.isArray(message)) continue; // the greeting
      const [, id, error, result] = message;
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(new Error(`${error.error}: ${error.message}`));
      else resolve(result);
    }
  }

  send(command, parameters) {
    const id = this.#next++;
    const text = JSON.stringify([0, id, command, parameters]);
    this.#socket.write(`${Buffer.byteLength(text)}:${text}`);
    return new Promise((resolve, reject) =>
      this.#waiting.set(id, { resolve, reject }),
    );
  }

  /** Runs a function in the page, with `viewer` for its viewer element. */
  async evaluate(work) {
    const script = `return (${work})(document.querySelector("heliograph-viewer"))`;
    return (await this.send("WebDriver:ExecuteScript", { script, args: [] }))
      .value;
  }

  /** Input as WebDriver describes it: https://www.w3.org/TR/webdriver2/#actions. */
  act(type, actions) {
    return this.send("WebDriver:PerformActions", {
      actions: [{ type, id: type, actions }],
    });
  }

  async screenshot(name) {
    const { value } = await this.send("WebDriver:TakeScreenshot", {
      full: false,
    });
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, `${name}.png`), Buffer.from(value, "base64"));
  }
}

async function inFirefox(page, url, rest) {
  await page.send("WebDriver:Navigate", { url });
  await until("a connection", () =>
    page.evaluate((viewer) => {
      if (viewer.state.name === "failed")
        throw new Error(viewer.state.error.message);
      return viewer.state.name === "connected";
    }),
  );
  await page.evaluate((viewer) => {
    // In the document, since every script of Marionette has a global object of its own.
    viewer.dataset.frames = 0;
    const count = () => {
      viewer.dataset.frames++;
      viewer.video.requestVideoFrameCallback(count);
    };
    viewer.video.requestVideoFrameCallback(count);
  });
  const decoded = async () =>
    Number(await page.evaluate((viewer) => viewer.dataset.frames));

  await until("the button that loads the sample", () =>
    page.evaluate((viewer) => {
      const buttons = [...viewer.shadowRoot.querySelectorAll("button")];
      const sample = buttons.find((b) => b.textContent.includes("sample"));
      sample?.click();
      return Boolean(sample);
    }),
  );
  await until(
    "the model",
    async () => (await rest.status(id)).scene.triangles >= 1e6,
  );
  const still = () =>
    page.evaluate(
      ({ stats, video }) =>
        stats?.fps === 0 &&
        stats.frame?.converged &&
        stats.frame.trianglesDrawn > 0n &&
        video.videoWidth === stats.frame.width,
    );
  await until("a still picture of the model", still);

  const before = await decoded();
  assert.ok(before > 0, "no frame was decoded");
  const moves = Array.from({ length: 60 }, (_, i) => ({
    type: "pointerMove",
    x: 500 + i * 5,
    y: 400 - i,
    duration: 16,
  }));
  await page.act("pointer", [
    { type: "pointerMove", x: 500, y: 400 },
    { type: "pointerDown", button: 0 },
    ...moves,
    { type: "pointerUp", button: 0 },
  ]);
  await until("the frames of the drag", async () => {
    return (await decoded()) >= before + 10;
  });
  await page.act("key", [
    { type: "keyDown", value: "i" },
    { type: "keyUp", value: "i" },
  ]);
  const overlay = await until("the codec in the overlay", () =>
    page.evaluate((viewer) => {
      const text = (name) =>
        viewer.shadowRoot.querySelector(`[data-stat="${name}"]`).textContent;
      return (
        /^(H264|VP8)/.test(text("codec")) &&
        `${text("codec")}, ${text("latency")}`
      );
    }),
  );
  await until("the turned model", still);
  await page.screenshot("firefox");
  console.log(
    `ok    Firefox: ${overlay}; ${await decoded()} frames, ${before} of them before the drag`,
  );
}

async function inChromium(context, url) {
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(url);
  await settled(page);
  console.log("ok    Chromium");
}

await withServer(async (ready, rest) => {
  const url = async () =>
    `${new URL(ready.dashboard).origin}/viewer/#account=${ready.accountId}&session=${id}&token=${encodeURIComponent((await rest.viewerToken(id)).token)}`;
  await rest.create(id);
  await until("a session", async () => (await rest.get(id)).status === "Ready");
  try {
    await withFirefox(async (page) => {
      try {
        await inFirefox(page, await url(), rest);
      } catch (error) {
        await page.screenshot("failure-firefox").catch(() => {});
        throw error;
      }
    });
    await until("Firefox to leave", async () =>
      (await rest.log(id)).includes("viewer left"),
    );
    await withBrowser(async (context) => inChromium(context, await url()), {
      network: true,
    });
  } catch (error) {
    console.log(`log of the worker:\n${await rest.log(id)}`);
    throw error;
  }
});
