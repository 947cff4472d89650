import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "dashboard/test/**/*.test.ts"],
    testTimeout: 60_000, // only catches hangs: a busy machine may take longer than the default of 5 s
  },
});
