import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryStorage } from "./temporary-storage.ts";

test.each(["plain", "encrypted"])(
  "writing and reading 300 MB of objects, %s, takes a fraction of that in memory",
  async (form) => {
    const { root } = await temporaryStorage();
    const program = join(import.meta.dirname, "large-archive.ts");
    const run = promisify(execFile)(process.execPath, [
      "--max-old-space-size=64",
      program,
      root,
      "200000",
      "1536",
      form,
    ]);
    const { count, maxMemory } = JSON.parse((await run).stdout) as { count: number; maxMemory: number };
    expect(count).toBe(200_000);
    expect(maxMemory).toBeLessThan(200_000_000);
  },
);
