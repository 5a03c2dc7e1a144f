import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ArchiveStorage } from "../../engine/storage/archive-storage.ts";

/** What holds for every storage. `open` gives an empty one. */
export function archiveStorageContract(name: string, open: () => Promise<ArchiveStorage>): void {
  describe(`${name} as an archive storage`, () => {
    const { signal } = new AbortController();
    let storage: ArchiveStorage;
    beforeAll(async () => {
      storage = await open();
    });
    afterAll(() => storage.close());

    const readAll = async (key: string): Promise<Buffer> =>
      Buffer.concat(await Array.fromAsync(await storage.read(key, signal)));
    const list = (prefix: string): Promise<string[]> => Array.fromAsync(storage.list(prefix, signal));

    test("gives back the bytes that were written, whatever their length", async () => {
      for (const length of [0, 1, 65_536, 20_000_000]) {
        const bytes = randomBytes(length);
        await storage.write("sizes/file", chunksOf(bytes, 300_000), signal);
        expect((await readAll("sizes/file")).equals(bytes)).toBe(true);
        expect(await storage.size("sizes/file", signal)).toBe(length);
      }
    });

    test("replaces a file, also by a shorter one", async () => {
      await storage.write("replaced/file", chunksOf(Buffer.from("the longer one")), signal);
      await storage.write("replaced/file", chunksOf(Buffer.from("short")), signal);
      expect((await readAll("replaced/file")).toString()).toBe("short");
    });

    test("says NOT_FOUND for a file that is not there, naming it, before there is a stream", async () => {
      const missing = { code: "NOT_FOUND", message: expect.stringContaining("missing/file") };
      await expect(storage.read("missing/file", signal)).rejects.toMatchObject(missing);
      await expect(storage.size("missing/file", signal)).rejects.toMatchObject(missing);
    });

    test("lists all depths in key order and a folder's own names", async () => {
      for (const key of ["l/b/2", "l/b-c", "l/b/1", "l/b.d", "l/a/x/y", "l/c", "l2/other"]) {
        await storage.write(key, chunksOf(Buffer.from(key)), signal);
      }
      expect(await list("l/")).toEqual(["l/a/x/y", "l/b-c", "l/b.d", "l/b/1", "l/b/2", "l/c"]);
      expect(await storage.listFolder("l/", signal)).toEqual(["a/", "b-c", "b.d", "b/", "c"]);
      expect(await list("nothing/")).toEqual([]);
      expect(await storage.listFolder("nothing/", signal)).toEqual([]);
    });

    test("deletes a file, and its folder with the last one; a second time is no error", async () => {
      await storage.write("d/e/one", chunksOf(Buffer.from("1")), signal);
      await storage.write("d/e/two", chunksOf(Buffer.from("2")), signal);
      await storage.delete("d/e/one", signal);
      expect(await list("d/")).toEqual(["d/e/two"]);
      await storage.delete("d/e/two", signal);
      await storage.delete("d/e/two", signal);
      expect(await storage.listFolder("d/", signal)).toEqual([]);
    });

    test("keeps what was there when a write fails half-way, and passes its source's error on", async () => {
      await storage.write("f/kept", chunksOf(Buffer.from("before")), signal);
      for (const length of [10, 17_000_000]) {
        const broken = new Error("the source broke");
        await expect(storage.write("f/kept", failingAfter(length, broken), signal)).rejects.toBe(broken);
        await expect(storage.write("f/new", failingAfter(length, broken), signal)).rejects.toBe(broken);
      }
      expect((await readAll("f/kept")).toString()).toBe("before");
      expect(await list("f/")).toEqual(["f/kept"]);
    });

    test("stops a write whose source hangs when it is cancelled, and leaves nothing", async () => {
      for (const length of [0, 17_000_000]) {
        const cancel = new AbortController();
        let closed = false;
        async function* hanging(): AsyncGenerator<Buffer> {
          try {
            if (length > 0) yield* chunksOf(randomBytes(length), 1_000_000);
            setImmediate(() => cancel.abort());
            await new Promise((_, reject) =>
              cancel.signal.addEventListener("abort", () => reject(cancel.signal.reason)),
            );
          } finally {
            closed = true;
          }
        }
        await expect(storage.write("c/file", hanging(), cancel.signal)).rejects.toMatchObject({ name: "AbortError" });
        expect(closed).toBe(true);
      }
      expect(await list("c/")).toEqual([]);
    });

    test("does nothing when it is cancelled beforehand", async () => {
      const cancelled = AbortSignal.abort();
      const refused = { name: "AbortError" };
      await storage.write("k/file", chunksOf(Buffer.from("kept")), signal);
      await expect(storage.write("k/file", chunksOf(Buffer.from("new")), cancelled)).rejects.toMatchObject(refused);
      await expect(storage.read("k/file", cancelled)).rejects.toMatchObject(refused);
      await expect(storage.delete("k/file", cancelled)).rejects.toMatchObject(refused);
      expect((await readAll("k/file")).toString()).toBe("kept");
    });

    test("ends a read that is cancelled", async () => {
      const cancel = new AbortController();
      await storage.write("r/file", chunksOf(randomBytes(20_000_000), 1_000_000), signal);
      const reading = async (): Promise<void> => {
        for await (const _ of await storage.read("r/file", cancel.signal)) cancel.abort();
      };
      await expect(reading()).rejects.toMatchObject({ name: "AbortError" });
    });

    test("writes many files of one folder at once while others are deleted", async () => {
      const keys = Array.from({ length: 20 }, (_, i) => `many/folder/${i}`);
      for (let round = 0; round < 5; round++) {
        await Promise.all(keys.map((key) => storage.write(key, chunksOf(Buffer.from(key)), signal)));
        await Promise.all(keys.map((key) => storage.delete(key, signal)));
        await Promise.all([
          ...keys.map((key) => storage.write(`${key}-x`, chunksOf(Buffer.from(key)), signal)),
          ...keys.map((key) => storage.delete(key, signal)),
        ]);
        expect(await list("many/")).toHaveLength(keys.length);
        await Promise.all(keys.map((key) => storage.delete(`${key}-x`, signal)));
      }
    });

    test("refuses keys that lead elsewhere", async () => {
      for (const key of ["", "/a", "a/", "../a", "a/../../b", "a/./b", "a//b", ".hidden", "a\\b", "a\0b", "a b", "é"]) {
        const refused = { code: "INVALID_ARGUMENT" };
        await expect(storage.write(key, chunksOf(Buffer.from("x")), signal)).rejects.toMatchObject(refused);
        await expect(storage.read(key, signal)).rejects.toMatchObject(refused);
        await expect(storage.size(key, signal)).rejects.toMatchObject(refused);
        await expect(storage.delete(key, signal)).rejects.toMatchObject(refused);
      }
      for (const prefix of ["", "/", "a", "../", "a/../"]) {
        await expect(list(prefix)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
        await expect(storage.listFolder(prefix, signal)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      }
    });

    test("proves that it can be used and leaves nothing of that", async () => {
      await storage.write("p/file", chunksOf(Buffer.from("x")), signal);
      await storage.check(signal);
      expect(await list("p/")).toEqual(["p/file"]);
    });
  });
}

async function* chunksOf(bytes: Buffer, size = 65_536): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function* failingAfter(length: number, error: Error): AsyncGenerator<Buffer> {
  yield* chunksOf(randomBytes(length), 1_000_000);
  throw error;
}
