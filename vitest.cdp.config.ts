import { defineConfig } from "vitest/config";

/** The vendor's own client, from the Python Package Index; skipped where it cannot be installed. */
export default defineConfig({
  test: {
    include: ["test/cdp/**/*.test.ts"],
    globalSetup: ["./test/cdp/install.ts"],
    reporters: ["default", "./test/closing-line.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
