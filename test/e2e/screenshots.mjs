// Takes the pictures of the README and the documents anew.
//   node test/e2e/screenshots.mjs       (needs bin/, or HELIOGRAPH_BIN_DIR)
import { join } from "node:path";
import { settled, stateOf, until, withBrowser, withServer } from "./lib.mjs";

const images = join(import.meta.dirname, "../../docs/images");

await withServer((ready, rest) =>
  withBrowser(
    async (context) => {
      const origin = new URL(ready.dashboard).origin;
      const dashboard = context.pages()[0] ?? (await context.newPage());
      await dashboard.goto(
        `${origin}/#account=${ready.accountId}&key=${encodeURIComponent(ready.accountKey)}`,
      );
      for (const id of ["bridge-review", "engine-demo"]) {
        await dashboard.getByLabel("Id", { exact: true }).fill(id);
        await dashboard.getByRole("button", { name: "Create session" }).click();
        await dashboard.locator(`[data-session="${id}"].ready`).waitFor();
      }
      const [viewer] = await Promise.all([
        context.waitForEvent("page"),
        dashboard
          .getByRole("button", { name: "Open viewer engine-demo" })
          .click(),
      ]);
      await until(
        "a connection",
        async () => (await stateOf(viewer)) === "connected",
      );
      await until(
        "the model",
        async () => (await rest.status("engine-demo")).scene.triangles > 0,
      );
      await settled(viewer);
      await dashboard.bringToFront();
      await dashboard.screenshot({ path: join(images, "dashboard.png") });

      await viewer.bringToFront();
      await viewer.keyboard.press("i");
      await viewer.evaluate(
        () =>
          new Promise((resolve) => {
            const element = document.querySelector("heliograph-viewer");
            let frames = 0;
            const turn = () =>
              ++frames > 180
                ? resolve()
                : (element.orbit(-0.0012, 0.0002), requestAnimationFrame(turn));
            turn();
          }),
      );
      await settled(viewer);
      await viewer.screenshot({ path: join(images, "viewer.png") });
    },
    { width: 1280, height: 720 },
  ),
);
