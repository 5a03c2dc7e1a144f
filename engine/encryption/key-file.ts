import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { DrsError } from "../errors.ts";
import { EncryptionKey, KeyRing, keyLength } from "./key-ring.ts";

/**
 * Reads the keys: a line each of its id and the base64 of its 32 bytes, with a space between. The first one encrypts, all
 * decrypt. Empty lines and those that begin with `#` are passed over. FAILED_PRECONDITION names the file and the line,
 * and never its contents; NOT_FOUND when there is no such file.
 */
export async function readKeyFile(file: string): Promise<KeyRing> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    const code = error.code === "ENOENT" ? "NOT_FOUND" : "FAILED_PRECONDITION";
    throw new DrsError(code, `encryption keys ${file}: the file cannot be read (${error.code})`, {
      id: "DRS-S006",
      cause: error,
    });
  });
  const keys: EncryptionKey[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const refuse = (reason: string): never => {
      throw new DrsError("FAILED_PRECONDITION", `encryption keys ${file}, line ${index + 1}: ${reason}`, {
        id: "DRS-S006",
      });
    };
    const [, id, encoded] = /^\s*(\S+)\s+(\S+)\s*$/.exec(line) ?? refuse("write an id, a space, and a key in base64");
    if (!/^[\w.-]{1,64}$/.test(id ?? "")) refuse("an id has at most 64 letters, digits, dots, hyphens and underscores");
    const secret = Buffer.from(encoded ?? "", "base64");
    if (secret.toString("base64") !== encoded)
      refuse("the key is not in base64: make one with openssl rand -base64 32");
    if (secret.length !== keyLength)
      refuse(`the key has ${secret.length} bytes, not ${keyLength}: make one with openssl rand -base64 32`);
    if (keys.some((key) => key.id === id)) refuse(`the id ${id} is there already: give each key its own`);
    keys.push(new EncryptionKey(id ?? "", secret));
  }
  const [current, ...older] = keys;
  if (!current)
    throw new DrsError("FAILED_PRECONDITION", `encryption keys ${file}: it contains no key`, { id: "DRS-S006" });
  return new KeyRing(current, ...older);
}

/** Makes a file with one new key, durably, that only its owner can read; false when there is a file already. */
export async function makeKeyFile(file: string, now: Date): Promise<boolean> {
  if (await exists(file)) return false;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const id = `key-${now.toISOString().slice(0, 10)}-${randomBytes(2).toString("hex")}`;
  const unfinished = `${file}.unfinished`;
  const handle = await open(unfinished, "w", 0o600);
  try {
    await handle.chmod(0o600); // one that a killed process left may have any
    await handle.writeFile(
      "# Encrypts the backups. Keep a copy elsewhere: without it they are lost. See docs/operations.md.\n" +
        `${id} ${randomBytes(keyLength).toString("base64")}\n`,
    );
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(unfinished, file);
  const folder = await open(dirname(file), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  return true;
}

/** Whether users other than the file's owner and group can read or change it. */
export async function isOpenToOthers(file: string): Promise<boolean> {
  return ((await stat(file)).mode & 0o007) !== 0;
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}
