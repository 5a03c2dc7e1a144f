import { defineConfig } from "vitest/config";

/** Jobs against a real Kubernetes. Building it takes Go and, the first time, some minutes: see test/cluster/programs. */
export default defineConfig({
  test: {
    include: ["test/cluster/**/*.test.ts"],
    globalSetup: ["./test/cluster/support/global-setup.ts"],
    reporters: ["default", "./test/closing-line.ts"],
    // Each worker has a cluster that its files share one after the other; the tests of a file build on one another.
    maxWorkers: 2,
    // Of the random worlds.
    maxConcurrency: 3,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 30_000,
  },
});
