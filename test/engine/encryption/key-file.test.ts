import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { openEncryption } from "../../../engine/encryption/archive-encryption.ts";
import { makeKeyFile, readKeyFile } from "../../../engine/encryption/key-file.ts";
import { EncryptionKey } from "../../../engine/encryption/key-ring.ts";
import { silentLogger } from "../../../engine/logger.ts";
import { temporaryFolder } from "../store/temporary-store.ts";

const now = new Date("2026-11-24T03:00:00Z");
const secretOf = (letter: string): string => Buffer.alloc(32, letter).toString("base64");
let file: string;
beforeEach(() => {
  file = join(temporaryFolder(), "encryption-keys");
});

test("the first key writes and all of them read, whatever blanks, comments and line ends there are", async () => {
  await writeFile(file, `# ours\n\nnew-1 ${secretOf("n")}\r\n  old.1\t${secretOf("o")}  \n# old-2 ...`);
  const keys = await readKeyFile(file);
  expect(keys.ids).toEqual(["new-1", "old.1"]);
  expect(keys.current.id).toBe("new-1");
  expect(keys.find("old.1")?.fingerprint).toBe(new EncryptionKey("old.1", Buffer.alloc(32, "o")).fingerprint);
  expect(keys.find("old-2")).toBeUndefined();
});

test("a file that is malformed is refused with its name and line, and without its content", async () => {
  const wrong: [content: string, message: string][] = [
    ["", "it contains no key"],
    ["# only a comment\n", "it contains no key"],
    [secretOf("a"), "line 1: write an id, a space, and a key in base64"],
    [`a ${secretOf("a")} b`, "line 1: write an id, a space, and a key in base64"],
    [`${"i".repeat(65)} ${secretOf("a")}`, "line 1: an id has at most 64"],
    [`a/b ${secretOf("a")}`, "line 1: an id has at most 64"],
    [
      `\na ${Buffer.alloc(16).toString("base64")}`,
      "line 2: the key has 16 bytes, not 32: make one with openssl rand -base64 32",
    ],
    [`a ${Buffer.alloc(33).toString("base64")}`, "line 1: the key has 33 bytes, not 32"],
    [`a ${Buffer.alloc(32, "a").toString("hex")}`, "line 1: the key has 48 bytes, not 32"],
    [`a ${secretOf("a").replace("=", "")}`, "line 1: the key is not in base64"],
    [`a !!!${secretOf("a")}`, "line 1: the key is not in base64"],
    [`a ${secretOf("a")}\na ${secretOf("b")}`, "line 2: the id a is there already"],
  ];
  for (const [content, message] of wrong) {
    await writeFile(file, content);
    const error = (await readKeyFile(file).catch((error: unknown) => error)) as Error;
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION" });
    expect(error.message).toContain(`encryption keys ${file}`);
    expect(error.message).toContain(message);
    expect(error.message).not.toContain(secretOf("a").slice(0, 20));
  }
});

test("a file that is not there, or no file, is refused with its name", async () => {
  await expect(readKeyFile(file)).rejects.toMatchObject({
    message: expect.stringContaining(`${file}: the file cannot be read (ENOENT)`),
  });
  await mkdir(file);
  await expect(readKeyFile(file)).rejects.toMatchObject({
    message: expect.stringContaining(`${file}: the file cannot be read (EISDIR)`),
  });
});

test("a file is made once, for its owner alone, with a key that is new each time", async () => {
  await writeFile(`${file}.unfinished`, "what a killed process left", { mode: 0o644 });
  expect(await makeKeyFile(file, now)).toBe(true);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const content = await readFile(file, "utf8");
  expect((await readKeyFile(file)).current.id).toMatch(/^key-2026-11-24-[0-9a-f]{4}$/);
  expect(await makeKeyFile(file, now)).toBe(false);
  expect(await readFile(file, "utf8")).toBe(content);
  const another = join(temporaryFolder(), "made", "encryption-keys");
  await makeKeyFile(another, now);
  expect((await readKeyFile(another)).current.fingerprint).not.toBe((await readKeyFile(file)).current.fingerprint);
});

test("a start says that it has made a key, and later that others can read it", async () => {
  const said: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object, text: string) => said.push(`${JSON.stringify(fields)} ${text}`),
  };
  const start = () => openEncryption({ keyFile: file, makeKey: true, readsUnencrypted: false }, logger, now);
  await start();
  expect(said).toEqual([
    expect.stringMatching(/encryption-keys.*made a key.*keep a copy of this file elsewhere, without it they are lost/),
  ]);
  await start();
  expect(said).toHaveLength(1);
  await chmod(file, 0o644);
  await start();
  expect(said.slice(1)).toEqual([expect.stringMatching(/encryption-keys.*other users can read or change.*mode 600/)]);
});
