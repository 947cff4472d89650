import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig } from "vite";

const outDir = resolve(import.meta.dirname, "../../internal/webui/dist");

// Two pages, embedded by internal/webui. Everything is served from one origin: no external resource, no inline script.
export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  plugins: [
    { name: "remove-old-assets", apply: "build", buildStart: () => rmSync(resolve(outDir, "assets"), { recursive: true, force: true }) },
  ],
  build: {
    outDir,
    emptyOutDir: false, // it holds a committed placeholder
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ["chrome120", "firefox120", "safari17"],
    rolldownOptions: {
      input: {
        dashboard: resolve(import.meta.dirname, "index.html"),
        viewer: resolve(import.meta.dirname, "viewer/index.html"),
      },
    },
  },
});
