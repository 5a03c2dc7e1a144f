import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("waiting for 300 MB of objects to go takes a fraction of that in memory", async () => {
  const program = join(import.meta.dirname, "large-collection.ts");
  const run = promisify(execFile)(process.execPath, ["--max-old-space-size=64", program, "30000", "10000"]);
  expect(JSON.parse((await run).stdout)).toEqual({ seen: 30_000, left: 0 });
});
