import { randomUUID } from "node:crypto";
import { access, constants, mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DrsError } from "../errors.ts";
import type { ArchiveStorage } from "./archive-storage.ts";
import { isMissing, translateFileError } from "./file-error.ts";
import { proveUsable } from "./storage-check.ts";
import { checkKey, checkPrefix, isKey } from "./storage-key.ts";
import { translatedStream } from "./translated-stream.ts";

/**
 * Archives in a folder, which is made if it is missing when it is first used or opened, and never again: a folder that
 * vanishes later (an unmount, a rename) is UNAVAILABLE. Only the service's own user may read them.
 *
 * A file is written below `.unfinished`, which no key can name, and renamed when it is durable. Files that a killed process
 * left there are removed by `check`. Its presence distinguishes the folder from the empty one that an unmount leaves behind.
 */
export class FilesystemArchiveStorage implements ArchiveStorage {
  readonly description: string;
  readonly #root: string;
  #opened: Promise<void> | undefined;

  constructor(root: string) {
    this.#root = resolve(root);
    this.description = `folder ${this.#root}`;
  }

  /** Creates the folder if it is missing and checks that it can be written, until that has succeeded once. */
  open(): Promise<void> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #open(): Promise<void> {
    const unfinished = join(this.#root, unfinishedFolder);
    await makeFolder(unfinished);
    for (const folder of [this.#root, unfinished])
      await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  }

  async write(key: string, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    checkKey(key);
    const unfinished = join(this.#root, unfinishedFolder, randomUUID());
    try {
      signal.throwIfAborted();
      await this.open();
      await this.#proveThere();
      const file = await open(unfinished, "wx", 0o600);
      await pipeline(content, file.createWriteStream({ flush: true, highWaterMark: writeSize }), { signal });
      await this.#moveInto(this.#path(key), unfinished);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw translateFileError(error, this.description, key);
    }
  }

  async read(key: string, signal: AbortSignal): Promise<Readable> {
    checkKey(key);
    const translate = (error: unknown): unknown => translateFileError(error, this.description, key);
    try {
      signal.throwIfAborted();
      await this.#proveNotVanished();
      const file = await open(this.#path(key), "r");
      return translatedStream(file.createReadStream({ highWaterMark: readSize }), translate, signal);
    } catch (error) {
      throw translate(error);
    }
  }

  async size(key: string, signal: AbortSignal): Promise<number> {
    checkKey(key);
    try {
      signal.throwIfAborted();
      return (await stat(this.#path(key))).size;
    } catch (error) {
      throw translateFileError(error, this.description, key);
    }
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<string> {
    for (const name of await this.listFolder(prefix, signal)) {
      if (name.endsWith("/")) yield* this.list(prefix + name, signal);
      else yield prefix + name;
    }
  }

  async listFolder(prefix: string, signal: AbortSignal): Promise<readonly string[]> {
    checkPrefix(prefix);
    signal.throwIfAborted();
    try {
      const entries = await readdir(this.#path(prefix), { withFileTypes: true });
      return entries
        .filter((entry) => isKey(entry.name))
        .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
        .sort(); // with the slash, so that all depths together are in key order
    } catch (error) {
      if (isMissing(error)) return [];
      throw translateFileError(error, this.description, prefix);
    }
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    checkKey(key);
    signal.throwIfAborted();
    const path = this.#path(key);
    try {
      await this.#proveNotVanished();
      await rm(path, { force: true });
      await this.#removeEmptyFolders(dirname(path));
    } catch (error) {
      throw translateFileError(error, this.description, key);
    }
  }

  async check(signal: AbortSignal): Promise<void> {
    await proveUsable(this, signal);
    try {
      await this.#removeUnfinished();
    } catch (error) {
      throw translateFileError(error, this.description, unfinishedFolder);
    }
  }

  async close(): Promise<void> {}

  #path(key: string): string {
    return join(this.#root, key);
  }

  /** Without this a folder would be made where a file system is mounted otherwise, and hold half an archive. */
  async #proveThere(): Promise<void> {
    try {
      await access(join(this.#root, unfinishedFolder));
    } catch (error) {
      if (!isMissing(error)) throw error;
      throw new DrsError(
        "UNAVAILABLE",
        `${this.description} is not the one that was opened, or is gone: is the storage there? If it was replaced on purpose, restart the service`,
        { id: "DRS-A010", cause: error },
      );
    }
  }

  /** A file that is missing from a folder which was opened, and has vanished since, is there all the same. */
  async #proveNotVanished(): Promise<void> {
    const isOpened = await this.#opened?.then(
      () => true,
      () => false,
    );
    if (isOpened === true) await this.#proveThere();
  }

  /** Renames durably. A deletion next door may take the emptied folder away again before the file is in it. */
  async #moveInto(path: string, unfinished: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#proveThere();
        await makeFolder(dirname(path));
        await rename(unfinished, path);
        await syncFolder(dirname(path));
        return;
      } catch (error) {
        if (isMissing(error) && attempt < moveAttempts) continue;
        await this.#removeEmptyFolders(dirname(path));
        throw error;
      }
    }
  }

  /** Removes the folder and those above it as far as they are empty, and makes that durable. */
  async #removeEmptyFolders(folder: string): Promise<void> {
    let current = folder;
    while (current !== this.#root) {
      try {
        await rmdir(current);
      } catch (error) {
        if (!isMissing(error)) break; // not empty, or not ours to remove: the file itself is gone
      }
      current = dirname(current);
    }
    await syncFolder(current).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }

  async #removeUnfinished(): Promise<void> {
    const folder = join(this.#root, unfinishedFolder);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const found = await stat(path).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
      if (found !== undefined && Date.now() - found.mtimeMs > abandonedAfter) await rm(path, { force: true });
    }
  }
}

const unfinishedFolder = ".unfinished";
/** Nothing was written to it for so long (milliseconds) that its writer must be gone. */
const abandonedAfter = 3_600_000;
const moveAttempts = 5;
const readSize = 256 * 1024;
/** Bytes that may wait for the disk: each write costs a thread's round trip, and all waiting bytes are written by one. */
const writeSize = 1024 * 1024;

/** Makes a folder and those above it, each of them durable. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
