import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** The fast tests: nothing but Node is needed. Those that need more have configurations of their own. */
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/cluster/**", "test/fuzz/**", "test/cdp/**"],
    reporters: ["default", ["./test/closing-line.ts", { takes: "about five minutes on two cores" }]],
    // A test of whole jobs takes a few seconds, and ten times as many on a machine that is busy with others.
    testTimeout: 120_000,
    // Tests of whole jobs mostly wait: one worker leaves two cores half idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
