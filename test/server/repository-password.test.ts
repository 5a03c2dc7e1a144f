import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryFolder } from "../engine/store/temporary-store.ts";

const program = join(import.meta.dirname, "../../server/repository-password.ts");
const run = (file: string) => promisify(execFile)(process.execPath, [program, `--encryption-keys=${file}`]);
const secret = (letter: string) => Buffer.alloc(32, letter).toString("base64");

test("npm run repository-password writes the password of each key, always the same, and reveals nothing of the key", async () => {
  const file = join(temporaryFolder(), "keys");
  await writeFile(file, `new ${secret("n")}\nold ${secret("o")}\n`);
  const { stdout } = await run(file);
  // HKDF-SHA256, as RFC 5869 has it. With other passwords no repository of before could be opened.
  expect(stdout).toBe("PKj3z6DcB9iS7zFhby5XPaMNAWBMVzdOwjyLwIKjBrg\nstjq1ZlQOZFPcQa0tzr9HJEt_E3iMrTBzIMn7irom0M\n");
  await writeFile(file, `elsewhere ${secret("o")}\n`);
  expect((await run(file)).stdout).toBe(`${stdout.split("\n")[1]}\n`);
});

test("npm run repository-password says what is wrong with the keys", async () => {
  const file = join(temporaryFolder(), "keys");
  await writeFile(file, "");
  await expect(run(file)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: encryption keys .*: it contains no key/),
  });
});
