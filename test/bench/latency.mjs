// What a person feels, measured in headless Chromium on this machine (server, worker and browser share its cores):
// pose-to-photon latency while orbiting at 1280 x 720, and the time from PUT to the first decoded frame.
//   node test/bench/latency.mjs       (needs bin/, or HELIOGRAPH_BIN_DIR)
import { until, withBrowser, withServer } from "../e2e/lib.mjs";

const models = ["builtin://spheres", "builtin://engine"];
const orbitSeconds = Number(process.env.ORBIT_SECONDS ?? 10);
const starts = Number(process.env.STARTS ?? 20);

/** Nearest rank. */
function percentile(values, p) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0
    ? NaN
    : sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)];
}

const quantiles = (values) =>
  [0.5, 0.95, 0.99].map((p) => percentile(values, p).toFixed(1)).join(" / ");
const mean = (values) =>
  (values.reduce((a, b) => a + b, 0) / values.length).toFixed(1);

/** Creates a session from within the page and looks at it; returns milliseconds from PUT on. */
function timeStart(page, account, token, id) {
  return page.evaluate(
    async ([account, token, id]) => {
      const viewer = document.querySelector("heliograph-viewer");
      const picture = new Promise((resolve) =>
        viewer.video.requestVideoFrameCallback((now) => resolve(now)),
      );
      const connected = new Promise((resolve) => {
        const check = ({ detail }) => {
          if (detail.name !== "connected") return;
          viewer.removeEventListener("statechange", check);
          resolve(performance.now());
        };
        viewer.addEventListener("statechange", check);
      });
      const started = performance.now();
      const put = await fetch(
        `/accounts/${account}/sessions/${id}?api-version=2021-01-01`,
        {
          method: "PUT",
          headers: {
            Authorization: `Bearer ${token}`,
            "Content-Type": "application/json",
          },
          body: JSON.stringify({ size: "Standard", maxLeaseTimeMinutes: 30 }),
        },
      );
      if (put.status !== 201) throw new Error(`PUT: ${put.status}`);
      viewer.setAttribute("account", account);
      viewer.setAttribute("session", id);
      viewer.setAttribute("token", token);
      return {
        connected: (await connected) - started,
        picture: (await picture) - started,
      };
    },
    [account, token, id],
  );
}

/** Orbits for a while and returns a latency per pose, and the records of the frames that were shown. */
function orbit(page, seconds) {
  return page.evaluate(
    (seconds) =>
      new Promise((resolve) => {
        const viewer = document.querySelector("heliograph-viewer");
        const latencies = [];
        const frames = [];
        const off = viewer.stream.on("frame", (shown) => {
          latencies.push(...shown.latencies);
          const { renderUs, encodeUs, poseWaitUs, queueUs, width, bytes } =
            shown.record;
          frames.push({
            render: renderUs / 1000,
            encode: encodeUs / 1000,
            wait: poseWaitUs / 1000,
            queue: queueUs / 1000,
            width,
            bytes,
          });
        });
        const end = performance.now() + seconds * 1000;
        let last = performance.now();
        const step = (now) => {
          if (now >= end) {
            off();
            resolve({ latencies, frames });
            return;
          }
          viewer.orbit(((now - last) / 1000) * 0.8, 0);
          last = now;
          requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
      }),
    seconds,
  );
}

await withServer((ready, rest) =>
  withBrowser(async (context) => {
    const origin = new URL(ready.dashboard).origin;
    const page = context.pages()[0] ?? (await context.newPage());

    console.log("## Browser: PUT to first decoded frame");
    console.log();
    const times = [];
    for (let i = 0; i < starts; i++) {
      await page.goto(`${origin}/viewer/`);
      times.push(
        await timeStart(page, ready.accountId, rest.token, `start-${i}`),
      );
      await rest.stop(`start-${i}`);
    }
    console.log(`| ${starts} starts, ms | p50 / p95 / p99 |`);
    console.log("|---|---|");
    console.log(
      `| PUT to connected | ${quantiles(times.map((t) => t.connected))} |`,
    );
    console.log(
      `| PUT to first frame on the screen | ${quantiles(times.map((t) => t.picture))} |`,
    );
    console.log();

    console.log(
      `## Browser: pose to photon, orbiting for ${orbitSeconds} s in a window of 1280 x 720`,
    );
    console.log();
    console.log(
      "| model | triangles | fps | p50 / p95 / p99 ms | wait + render + encode + queue ms (mean) | width (mean) | Mbit/s |",
    );
    console.log("|---|---|---|---|---|---|---|");
    for (const [i, uri] of models.entries()) {
      const id = `orbit-${i}`;
      await rest.create(id);
      await until(
        "a ready session",
        async () => (await rest.get(id)).status === "Ready",
      );
      const { token } = await rest.viewerToken(id);
      await page.goto("about:blank");
      await page.goto(
        `${origin}/viewer/#account=${ready.accountId}&session=${id}&token=${encodeURIComponent(token)}`,
      );
      await until("a connection", () =>
        page.evaluate(
          () =>
            document.querySelector("heliograph-viewer").state.name ===
            "connected",
        ),
      );
      await page.evaluate(
        (uri) => document.querySelector("heliograph-viewer").load(uri),
        uri,
      );
      const { triangles } = (await rest.status(id)).scene;
      await orbit(page, 2); // the picture size and the bitrate settle
      const { latencies, frames } = await orbit(page, orbitSeconds);
      const of = (name) => mean(frames.map((f) => f[name]));
      const rate =
        frames.reduce((sum, f) => sum + f.bytes * 8, 0) / orbitSeconds / 1e6;
      console.log(
        `| ${uri} | ${(triangles / 1e6).toFixed(2)} M | ${(frames.length / orbitSeconds).toFixed(1)} | ${quantiles(latencies)} | ` +
          `${of("wait")} + ${of("render")} + ${of("encode")} + ${of("queue")} | ${of("width")} | ${rate.toFixed(1)} |`,
      );
      await rest.stop(id);
    }
  }),
);
