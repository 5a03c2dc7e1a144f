import { defineConfig } from "vitest/config";

/** Random requests against the service in a process of its own. */
export default defineConfig({
  test: {
    include: ["test/fuzz/**/*.test.ts"],
    reporters: ["default", "./test/closing-line.ts"],
    // Each file loads the machine by itself.
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 60_000,
  },
});
