// The main job in a real browser: sign in, create a session with the sample, look at it, turn it, stop it.
//   node viewer.mjs READY_FILE STORAGE_DIR
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  comparePicture,
  difference,
  out,
  readReadyFile,
  rememberPicture,
  restClient,
  settled,
  stateOf,
  until,
  withBrowser,
} from "./lib.mjs";

const minPsnr = 30; // dB, against the worker's own lossless snapshot of the same view
const minChange = 4; // mean absolute difference of 8-bit channels after a drag

const ready = readReadyFile(process.argv[2]);
const storage = `file://${process.argv[3]}`; // of the service; has wedge.obj
const rest = await restClient(ready);
const id = `e2e-${process.pid}`;

/** Names each step, so that a failure tells where it was. */
async function step(name, work) {
  const started = Date.now();
  try {
    const result = await work();
    console.log(`ok    ${name} (${Date.now() - started} ms)`);
    return result;
  } catch (error) {
    console.log(`FAIL  ${name}`);
    throw error;
  }
}

const shot = (page, name) =>
  page.screenshot({ path: join(out, `${name}.png`) });

await withBrowser(async (context, problems) => {
  const dashboard = context.pages()[0] ?? (await context.newPage());
  let viewer;
  try {
    await step("the dashboard signs in by the form", async () => {
      await dashboard.goto(new URL(ready.dashboard).origin);
      await dashboard.getByLabel("Account id").fill(ready.accountId);
      await dashboard.getByLabel("Account key").fill("not-the-key");
      await dashboard.getByRole("button", { name: "Sign in" }).click();
      await dashboard
        .getByText("The account id or the account key is wrong.")
        .waitFor();
      await shot(dashboard, "1-sign-in");
      await dashboard.getByLabel("Account key").fill(ready.accountKey);
      await dashboard.getByRole("button", { name: "Sign in" }).click();
      await dashboard
        .getByRole("heading", { name: "No session yet" })
        .waitFor();
      await shot(dashboard, "2-empty");
    });

    await step("a link signs in and leaves no key in the address", async () => {
      await dashboard.evaluate(() => sessionStorage.clear());
      await dashboard.goto("about:blank");
      await dashboard.goto(
        `${new URL(ready.dashboard).origin}/#account=${ready.accountId}&key=${encodeURIComponent(ready.accountKey)}`,
      );
      await dashboard.getByRole("heading", { name: "Sessions" }).waitFor();
      assert.ok(
        !dashboard.url().includes("key"),
        "the key is still in the address",
      );
    });

    await step("a session is created and becomes ready", async () => {
      await dashboard.getByLabel("Id", { exact: true }).fill(id);
      await dashboard.getByRole("button", { name: "Create session" }).click();
      await dashboard.locator(`[data-session="${id}"].ready`).waitFor();
    });

    viewer = await step("the viewer connects", async () => {
      const [page] = await Promise.all([
        context.waitForEvent("page"),
        dashboard.getByRole("button", { name: `Open viewer ${id}` }).click(),
      ]);
      await until(
        "a connection",
        async () => (await stateOf(page)) === "connected",
      );
      assert.ok(
        !page.url().includes("token"),
        "the token is still in the address",
      );
      return page;
    });
    await shot(dashboard, "3-dashboard");

    await step("the sample model is seen as the worker drew it", async () => {
      await until(
        "the model",
        async () => (await rest.status(id)).scene.triangles >= 1e6,
      );
      await settled(viewer);
      await shot(viewer, "4-viewer");
      const size = await viewer.evaluate(() => ({
        width: document.querySelector("heliograph-viewer").video.videoWidth,
        height: document.querySelector("heliograph-viewer").video.videoHeight,
      }));
      assert.deepEqual(size, { width: 1280, height: 720 });
      const { psnr, variety } = await comparePicture(
        viewer,
        await rest.snapshot(id, size.width, size.height),
      );
      console.log(`      PSNR ${psnr.toFixed(1)} dB`);
      assert.ok(
        variety > 10,
        `the snapshot is one flat colour (${variety.toFixed(1)})`,
      );
      assert.ok(
        psnr >= minPsnr,
        `PSNR ${psnr.toFixed(1)} dB is below ${minPsnr} dB`,
      );
    });

    await step("a drag turns the model", async () => {
      await viewer.keyboard.press("i");
      await rememberPicture(viewer);
      await viewer.mouse.move(500, 400);
      await viewer.mouse.down();
      for (let i = 1; i <= 60; i++) {
        await viewer.mouse.move(500 + i * 5, 400 - i);
      }
      await viewer.mouse.up();
      await shot(viewer, "5-moving");
      const stats = await until("latency in the overlay", () =>
        viewer.evaluate(
          () =>
            document.querySelector("heliograph-viewer").stats?.latencySamples >
              5 && document.querySelector("heliograph-viewer").stats,
        ),
      );
      const shown = await viewer.evaluate(
        () =>
          document
            .querySelector("heliograph-viewer")
            .shadowRoot.querySelector('[data-stat="latency"]').textContent,
      );
      assert.match(shown, /^\d+\.\d \/ \d+(\.\d)? ms$/);
      assert.ok(stats.latencyP50 > 0, `latency ${stats.latencyP50}`);
      assert.ok(
        stats.bitrate > 0 && stats.frame.trianglesDrawn > 0n,
        "no bitrate or no triangles",
      );
      await settled(viewer);
      const change = await difference(viewer);
      assert.ok(
        change > minChange,
        `the picture changed by ${change.toFixed(2)} only`,
      );
      await shot(viewer, "6-turned");
    });

    await step("the turned view is the worker's view, too", async () => {
      const { psnr } = await comparePicture(
        viewer,
        await rest.snapshot(id, 1280, 720),
      );
      console.log(`      PSNR ${psnr.toFixed(1)} dB`);
      assert.ok(
        psnr >= minPsnr,
        `PSNR ${psnr.toFixed(1)} dB is below ${minPsnr} dB`,
      );
    });

    await step(
      "zoom, keys and frame-all move the view and bring it back",
      async () => {
        await viewer.keyboard.press("f");
        await settled(viewer);
        await rememberPicture(viewer);
        await viewer.mouse.move(640, 360);
        await viewer.mouse.wheel(0, -600);
        await until(
          "a zoomed picture",
          async () => (await difference(viewer)) > minChange,
        );
        await viewer.mouse.dblclick(600, 380);
        await settled(viewer);
        await viewer.keyboard.press("f");
        await until(
          "the whole model",
          async () => (await difference(viewer)) < minChange / 2,
        );
      },
    );

    await step("one finger turns, two fingers zoom and pan", async () => {
      const device = await context.newCDPSession(viewer);
      const touch = (type, ...points) =>
        device.send("Input.dispatchTouchEvent", {
          type,
          touchPoints: points.map(([x, y], id) => ({ x, y, id })),
        });
      const gesture = async (name, path) => {
        await viewer.keyboard.press("f");
        await settled(viewer);
        await rememberPicture(viewer);
        await touch("touchStart", ...path(0));
        for (let i = 1; i <= 20; i++) await touch("touchMove", ...path(i / 20));
        await touch("touchEnd");
        await until(
          `the picture after ${name}`,
          async () => (await difference(viewer)) > minChange,
        );
      };
      await gesture("a turn", (t) => [[500 + 200 * t, 360]]);
      await gesture("a pinch", (t) => [
        [600 - 200 * t, 360],
        [680 + 200 * t, 360],
      ]);
      await gesture("a pan", (t) => [
        [560, 360 + 150 * t],
        [720, 360 + 150 * t],
      ]);
      await device.detach();
      await viewer.keyboard.press("f");
      await settled(viewer);
    });

    await step("the picture follows the window", async () => {
      await viewer.setViewportSize({ width: 900, height: 600 });
      await until("the new size", () =>
        viewer.evaluate(
          () =>
            document.querySelector("heliograph-viewer").video.videoWidth ===
            900,
        ),
      );
      await viewer.setViewportSize({ width: 1280, height: 720 });
    });

    await step("a reload comes back", async () => {
      await viewer.reload();
      await until(
        "a connection",
        async () => (await stateOf(viewer)) === "connected",
      );
      await settled(viewer);
    });

    await step("a second viewer asks before it takes over", async () => {
      const other = await context.newPage();
      const { token } = await rest.viewerToken(id);
      await other.goto(
        `${new URL(ready.dashboard).origin}/viewer/#account=${ready.accountId}&session=${id}&token=${encodeURIComponent(token)}`,
      );
      await other.getByRole("button", { name: "Take over" }).click();
      await until(
        "the second connection",
        async () => (await stateOf(other)) === "connected",
      );
      await until(
        "the first to step back",
        async () => (await stateOf(viewer)) === "failed",
      );
      await other.close();
      await viewer.getByRole("button", { name: "Take over" }).click();
      await until(
        "the first again",
        async () => (await stateOf(viewer)) === "connected",
      );
    });

    await step("the log is shown", async () => {
      await dashboard.getByRole("button", { name: `Log ${id}` }).click();
      await dashboard.locator("pre.log", { hasText: "viewer joins" }).waitFor();
      await shot(dashboard, "7-log");
      await dashboard.getByRole("button", { name: "Close" }).click();
    });

    await step("the lease is extended", async () => {
      await dashboard.getByRole("button", { name: `Extend ${id}` }).click();
      await dashboard
        .getByRole("button", { name: "Extend", exact: true })
        .click();
      await dashboard
        .locator(`[data-session="${id}"]`, { hasText: /of 60 min left/ })
        .waitFor();
      assert.equal((await rest.get(id)).maxLeaseTimeMinutes, 60);
    });

    await step("a model is converted and shown", async () => {
      await dashboard.getByRole("button", { name: "Conversions" }).click();
      await dashboard
        .getByRole("heading", { name: "No conversion yet" })
        .waitFor();
      await dashboard.getByLabel("Container", { exact: true }).fill(storage);
      await dashboard.getByLabel("Model in it").fill("wedge.obj");
      await dashboard.getByLabel("Output folder").fill("made");
      await dashboard
        .getByRole("button", { name: "Convert", exact: true })
        .click();
      const row = dashboard.locator("li.ready", { hasText: "wedge.obj" });
      await row.waitFor();
      await row
        .getByText(`${storage}/made/wedge.arrAsset`, { exact: true })
        .waitFor();
      await shot(dashboard, "8-conversion");
      const [page] = await Promise.all([
        context.waitForEvent("page"),
        row.getByRole("button", { name: /^Show/ }).click(),
      ]);
      await page.waitForURL(/\/viewer\//);
      await until(
        "a connection",
        async () => (await stateOf(page)) === "connected",
      );
      await settled(page);
      await until("the asset", () =>
        page.evaluate(
          () =>
            document.querySelector("heliograph-viewer").stats?.frame
              .trianglesDrawn > 0n,
        ),
      );
      await settled(page);
      await shot(page, "9-asset");
      await page.close();
      await row.getByRole("button", { name: /^Forget/ }).click();
      await dashboard
        .getByRole("heading", { name: "No conversion yet" })
        .waitFor();
      await dashboard.getByRole("button", { name: "Sessions" }).click();
    });

    await step("stop ends it", async () => {
      await dashboard.getByRole("button", { name: `Stop ${id}` }).click();
      await dashboard.getByRole("button", { name: "Stop session" }).click();
      await dashboard.locator(`[data-session="${id}"].stopped`).waitFor();
      await viewer.getByRole("heading", { name: "Session stopped" }).waitFor();
      assert.equal(await stateOf(viewer), "ended");
      assert.equal((await rest.get(id)).status, "Stopped");
      await shot(viewer, "10-ended");
      await shot(dashboard, "11-stopped");
    });
  } catch (error) {
    for (const [i, page] of context.pages().entries())
      await shot(page, `failure-${i}`).catch(() => {});
    const state = await viewer
      ?.evaluate(() => document.querySelector("heliograph-viewer")?.state)
      .catch(() => null);
    console.log(`state of the viewer: ${JSON.stringify(state)}`);
    console.log(
      `log of the worker:\n${await rest.log(id).catch((e) => e.message)}`,
    );
    if (problems.length > 0)
      console.log(`problems in the pages:\n${problems.join("\n")}`);
    throw error;
  }
  // What the service refuses, such as the wrong key, the browser reports as an error of the console, too.
  const unexpected = problems.filter((p) => !/status of 4[0-9][0-9]/.test(p));
  assert.deepEqual(unexpected, [], "errors in the pages");
});
