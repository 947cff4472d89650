// What the browser tests and benchmarks share: a headless Chromium, pictures, and the REST API as seen from Node.
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const { chromium } = createRequire(join(root, "web/package.json"))(
  "playwright-core",
);

/** Screenshots go here; git ignores it. */
export const out = join(import.meta.dirname, "out");

/** Milliseconds that a busy machine may take for anything: it only catches hangs. */
const patience = 60_000;

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
];

/**
 * Runs `work` with a browser that knows nothing of earlier runs, and closes it whatever happens. Without `network` it
 * connects to workers by loopback only, and so leaves the machine's network alone.
 */
export async function withBrowser(
  work,
  {
    width = 1280,
    height = 720,
    scale = 1,
    colorScheme = "light",
    network = false,
  } = {},
) {
  mkdirSync(out, { recursive: true });
  const profile = mkdtempSync(join(tmpdir(), "hg-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findChromium(),
    headless: true,
    timeout: patience,
    args: flags,
    viewport: { width, height },
    deviceScaleFactor: scale,
    colorScheme,
  });
  context.setDefaultTimeout(patience);
  if (!network) await context.addInitScript(ignoreNetworkCandidates);
  const problems = [];
  const watch = (page) => {
    page.on("pageerror", (error) =>
      problems.push(`${page.url().split("#")[0]}: ${error.message}`),
    );
    // What the content security policy blocks is told only here.
    page.on(
      "console",
      (message) =>
        message.type() === "error" &&
        problems.push(`${page.url().split("#")[0]}: ${message.text()}`),
    );
  };
  context.pages().forEach(watch);
  context.on("page", watch);
  try {
    return await work(context, problems);
  } finally {
    await context.close().catch(() => {});
    rmSync(profile, { recursive: true, force: true });
  }
}

/** Runs in the page, before its own scripts. */
function ignoreNetworkCandidates() {
  const { prototype } = RTCPeerConnection;
  const { setRemoteDescription } = prototype;
  prototype.setRemoteDescription = function ({ type, sdp }) {
    const kept = sdp.replace(
      /^a=candidate:(\S+ ){4}(?!127\.|::1 ).*\r\n/gm,
      "",
    );
    return setRemoteDescription.call(this, { type, sdp: kept });
  };
}

function findChromium() {
  for (const name of [
    process.env.CHROMIUM,
    "chromium",
    "google-chrome",
    "chromium-browser",
  ]) {
    const found =
      name &&
      spawnSync("sh", ["-c", `command -v "${name}"`], {
        encoding: "utf8",
      }).stdout.trim();
    if (found) return found;
  }
  throw new Error("no Chromium found; set CHROMIUM to its path");
}

/** Runs `work` with a service of its own: what its ready file says. Its sessions are stopped with it. */
export async function withServer(work) {
  const data = mkdtempSync(join(tmpdir(), "hg")); // short: it holds a Unix socket
  const readyFile = join(data, "ready.json");
  const binary = join(
    process.env.HELIOGRAPH_BIN_DIR ?? join(root, "bin"),
    "heliograph",
  );
  const args = [
    "serve",
    "--dev",
    "--data",
    data,
    "--listen",
    "127.0.0.1:0",
    "--dashboard-listen",
    "127.0.0.1:0",
    "--ready-file",
    readyFile,
  ];
  const server = spawn(binary, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, HELIOGRAPH_ADMIN_LISTEN: "127.0.0.1:0" },
  });
  let log = "";
  server.stderr.on("data", (text) => (log += text));
  const ended = new Promise((resolve) => server.on("exit", resolve));
  try {
    await until("the service", () => {
      if (server.exitCode !== null) throw new Error(log);
      return existsSync(readyFile);
    });
    const ready = readReadyFile(readyFile);
    const rest = await restClient(ready);
    try {
      return await work(ready, rest);
    } finally {
      for (const { id } of await rest.list()) await rest.stop(id);
    }
  } finally {
    server.kill("SIGTERM");
    await ended;
    rmSync(data, { recursive: true, force: true });
  }
}

/** What `heliograph serve --dev --ready-file FILE` wrote. */
export function readReadyFile(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** The REST API on the dashboard's plain origin, with the account's token. */
export async function restClient(ready) {
  const origin = new URL(ready.dashboard).origin;
  const answer = await fetch(`${origin}/Accounts/${ready.accountId}/token`, {
    headers: { Authorization: `Bearer ${ready.accountId}:${ready.accountKey}` },
  });
  if (!answer.ok) throw new Error(`token: ${answer.status}`);
  const { AccessToken: token } = await answer.json();
  const call = async (method, path, body) => {
    const url = new URL(
      `${origin}/accounts/${ready.accountId}/sessions${path}`,
    );
    url.searchParams.set("api-version", "2021-01-01");
    const headers = {
      Authorization: `Bearer ${token}`,
      ...(body && { "Content-Type": "application/json" }),
    };
    const response = await fetch(url, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok)
      throw new Error(
        `${method} ${path}: ${response.status} ${await response.text()}`,
      );
    return response;
  };
  return {
    token,
    create: async (
      id,
      settings = { size: "Standard", maxLeaseTimeMinutes: 30 },
    ) => (await call("PUT", `/${id}`, settings)).json(),
    list: async () => (await (await call("GET", "")).json()).sessions,
    get: async (id) => (await call("GET", `/${id}`)).json(),
    stop: (id) => call("POST", `/${id}/:stop`),
    viewerToken: async (id) =>
      (await call("POST", `/${id}/viewer-token`)).json(),
    load: async (id, uri) =>
      (await call("POST", `/${id}/inspector/load`, { uri })).json(),
    status: async (id) => (await call("GET", `/${id}/inspector/status`)).json(),
    log: async (id) => (await call("GET", `/${id}/log?tail=200`)).text(),
    snapshot: async (id, width, height) =>
      Buffer.from(
        await (
          await call(
            "GET",
            `/${id}/inspector/snapshot?width=${width}&height=${height}&format=png`,
          )
        ).arrayBuffer(),
      ),
  };
}

/** Polls until `probe` returns something true, and returns it. */
export async function until(what, probe) {
  const deadline = Date.now() + patience;
  for (let last; ;) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline)
      throw new Error(
        `timed out waiting for ${what}${last ? `: ${last.message}` : ""}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * Waits until the viewer's video has a picture whose view is still and converged. The numbers come once a second and look
 * back one second, so the first to come may be about the time before.
 */
export async function settled(page) {
  const still = page.evaluate(
    (ms) =>
      new Promise((resolve) => {
        const viewer = document.querySelector("heliograph-viewer");
        let seen = 0;
        const check = ({ detail: { fps, frame } }) => {
          const { videoWidth, videoHeight } = viewer.video;
          if (
            ++seen > 1 &&
            fps === 0 &&
            frame?.converged &&
            videoWidth === frame.width &&
            videoHeight === frame.height
          )
            finish(true);
        };
        const finish = (value) => {
          viewer.removeEventListener("stats", check);
          resolve(value);
        };
        viewer.addEventListener("stats", check);
        setTimeout(() => finish(false), ms);
      }),
    patience,
  );
  if (!(await still))
    throw new Error("timed out waiting for a still, converged picture");
}

/**
 * Compares the viewer's picture with a PNG of the same size: { psnr, width, height }. PSNR is over all three channels of
 * 8-bit sRGB, in dB.
 */
export function comparePicture(page, png) {
  return page.evaluate(async (base64) => {
    const { video } = document.querySelector("heliograph-viewer");
    const { videoWidth: width, videoHeight: height } = video;
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const still = await createImageBitmap(
      new Blob([bytes], { type: "image/png" }),
      { colorSpaceConversion: "none" },
    );
    if (still.width !== width || still.height !== height)
      throw new Error(
        `sizes differ: ${still.width}x${still.height}, ${width}x${height}`,
      );
    const pixels = (source) => {
      const context = new OffscreenCanvas(width, height).getContext("2d", {
        willReadFrequently: true,
      });
      context.drawImage(source, 0, 0, width, height);
      return context.getImageData(0, 0, width, height).data;
    };
    const [a, b] = [pixels(video), pixels(still)];
    let sum = 0;
    let variety = 0;
    for (let i = 0; i < a.length; i += 4) {
      for (let c = 0; c < 3; c++) sum += (a[i + c] - b[i + c]) ** 2;
      variety +=
        Math.abs(b[i] - b[0]) +
        Math.abs(b[i + 1] - b[1]) +
        Math.abs(b[i + 2] - b[2]);
    }
    const mse = sum / ((a.length / 4) * 3);
    return {
      psnr: mse === 0 ? Infinity : 10 * Math.log10(255 ** 2 / mse),
      variety: variety / (a.length / 4),
      width,
      height,
    };
  }, png.toString("base64"));
}

/** The viewer's picture, to be compared later with `difference`. */
export function rememberPicture(page) {
  return page.evaluate(() => {
    const { video } = document.querySelector("heliograph-viewer");
    const context = new OffscreenCanvas(320, 180).getContext("2d", {
      willReadFrequently: true,
    });
    context.drawImage(video, 0, 0, 320, 180);
    globalThis.rememberedPicture = context.getImageData(0, 0, 320, 180).data;
  });
}

/** The mean absolute difference (0..255) of the viewer's picture from the remembered one. */
export function difference(page) {
  return page.evaluate(() => {
    const { video } = document.querySelector("heliograph-viewer");
    const context = new OffscreenCanvas(320, 180).getContext("2d", {
      willReadFrequently: true,
    });
    context.drawImage(video, 0, 0, 320, 180);
    const now = context.getImageData(0, 0, 320, 180).data;
    return (
      now.reduce(
        (sum, value, i) =>
          sum + Math.abs(value - globalThis.rememberedPicture[i]),
        0,
      ) / now.length
    );
  });
}

export const stateOf = (page) =>
  page.evaluate(() => document.querySelector("heliograph-viewer")?.state?.name);
