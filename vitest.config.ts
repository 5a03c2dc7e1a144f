import { defineConfig } from "vitest/config";

/** The fast tests: nothing but Node is needed. The test cluster's have a configuration of their own. */
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/cluster/**"],
    reporters: ["default", "./test/closing-line.ts"],
    testTimeout: 30_000,
  },
});
