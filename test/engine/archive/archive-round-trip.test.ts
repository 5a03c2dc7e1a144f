import { execFileSync } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { ArchiveReader } from "../../../engine/archive/archive-reader.ts";
import { ArchiveWriter } from "../../../engine/archive/archive-writer.ts";
import type { Part } from "../../../engine/archive/format.ts";
import { configMaps, deployments, manifestOf, stream, writeArchive } from "./archive-fixture.ts";
import { temporaryStorage } from "./temporary-storage.ts";

const { signal } = new AbortController();

async function archived(objects: readonly (string | Buffer)[]): Promise<Buffer[]> {
  const { storage } = await temporaryStorage();
  const writer = new ArchiveWriter(storage, "backups/a");
  const part = await writer.writePart(configMaps, stream(objects), signal);
  await writer.writeManifest(manifestOf("a", [part as Part]), signal);
  const reader = await ArchiveReader.open(storage, "backups/a", signal);
  await reader.verify(signal);
  return Array.fromAsync(reader.objects(part as Part, signal));
}

test("objects come back byte for byte: line separators of Unicode, large numbers, odd spacing, any size", async () => {
  const objects = [
    '{"a":"\u2028\u2029\u0085 \ud83d\ude80 é"}',
    '{"n":9007199254740993,"f":1.10,"e":1e400,"z":-0}',
    '{ "spaced" : [ ] ,"escaped":"\\n\\u2028"}',
    "{}",
    JSON.stringify({ large: "x".repeat(3_000_000) }),
    '{"raw":"carriage\rreturn"}'.replace("\r", "\\r"),
    ...Array.from({ length: 5_000 }, (_, i) => JSON.stringify({ i, padding: "p".repeat(i % 700) })),
    JSON.stringify({ random: Array.from({ length: 50_000 }, (_, i) => Math.sin(i)) }),
  ];
  expect((await archived(objects)).map((line) => line.toString())).toEqual(objects);
});

test("an object as large as a batch, and one byte around it, comes back", async () => {
  const objects = [-2, -1, 0, 1, 2].map((more) => `{"a":"${"b".repeat(256 * 1024 - 8 + more)}"}`);
  expect((await archived(["{}", ...objects])).map((line) => line.length)).toEqual([2, ...objects.map((o) => o.length)]);
});

test("the manifest says what was written", async () => {
  const { root, storage } = await temporaryStorage();
  const manifest = await writeArchive(storage, "a");
  expect((await ArchiveReader.open(storage, "backups/a", signal)).manifest).toEqual(manifest);
  expect(manifest.parts.map((part) => part.file)).toEqual([
    "objects/core.v1.configmaps.ndjson.zst",
    "objects/apps.v1.deployments.ndjson.zst",
  ]);
  for (const part of manifest.parts) {
    const bytes = await readFile(join(root, "backups/a", part.file));
    expect(bytes).toHaveLength(part.size);
    expect(zstdDecompressSync(bytes).toString().trimEnd().split("\n")).toHaveLength(part.objects);
  }
});

test("sha256sum proves the manifest", async () => {
  const { root, storage } = await temporaryStorage();
  await writeArchive(storage, "a");
  const said = execFileSync("sha256sum", ["-c", "manifest.json.sha256"], { cwd: join(root, "backups/a") });
  expect(said.toString()).toBe("manifest.json: OK\n");
});

test("a resource without objects has no part", async () => {
  const { root, storage } = await temporaryStorage();
  expect(await new ArchiveWriter(storage, "backups/a").writePart(configMaps, stream([]), signal)).toBeNull();
  expect(await readdir(root)).toEqual([]);
});

test("a part that is written again replaces the first", async () => {
  const { storage } = await temporaryStorage();
  const writer = new ArchiveWriter(storage, "backups/a");
  await writer.writePart(configMaps, stream(['{"old":1}', '{"old":2}']), signal);
  const part = (await writer.writePart(configMaps, stream(['{"new":1}']), signal)) as Part;
  await writer.writeManifest(manifestOf("a", [part]), signal);
  const reader = await ArchiveReader.open(storage, "backups/a", signal);
  expect((await Array.fromAsync(reader.objects(part, signal))).join()).toBe('{"new":1}');
});

test("an object with a raw newline, or an empty one, is refused and nothing is left", async () => {
  const { storage } = await temporaryStorage();
  const writer = new ArchiveWriter(storage, "backups/a");
  for (const bad of ['{"a":\n1}', ""]) {
    await expect(writer.writePart(configMaps, stream(["{}", bad]), signal)).rejects.toMatchObject({ code: "INTERNAL" });
  }
  expect(await Array.fromAsync(storage.list("backups/", signal))).toEqual([]);
});

test("a manifest that could not be read again is not written", async () => {
  const { storage } = await temporaryStorage();
  const wrong = { ...manifestOf("a", []), finishedTime: "soon" };
  const writing = new ArchiveWriter(storage, "backups/a").writeManifest(wrong, signal);
  await expect(writing).rejects.toMatchObject({ code: "INTERNAL", message: expect.stringContaining("finishedTime") });
  expect(await Array.fromAsync(storage.list("backups/", signal))).toEqual([]);
});

test("a source that fails, or a cancellation, leaves no part, and the source is closed", async () => {
  const { storage } = await temporaryStorage();
  const writer = new ArchiveWriter(storage, "backups/a");
  const failure = new Error("the cluster went away");
  const cancel = new AbortController();
  let closed = 0;
  async function* objects(end: () => void): AsyncGenerator<Buffer> {
    try {
      for (let i = 0; i < 100_000; i++) {
        if (i === 50_000) end();
        yield Buffer.from(`{"number":${Math.sin(i)}}`);
      }
    } finally {
      closed++;
    }
  }
  const fail = (): never => {
    throw failure;
  };
  await expect(writer.writePart(configMaps, objects(fail), signal)).rejects.toBe(failure);
  const cancelled = writer.writePart(
    deployments,
    objects(() => cancel.abort()),
    cancel.signal,
  );
  await expect(cancelled).rejects.toMatchObject({ name: "AbortError" });
  expect(closed).toBe(2);
  expect(await Array.fromAsync(storage.list("backups/", signal))).toEqual([]);
});

test("a storage that fails closes the source", async () => {
  const { root, storage } = await temporaryStorage();
  await storage.write("backups/a/objects", stream(["a file where the folder should be"]), signal);
  let closed = false;
  async function* objects(): AsyncGenerator<Buffer> {
    try {
      for (let i = 0; i < 10; i++) yield Buffer.from("{}");
    } finally {
      closed = true;
    }
  }
  for (const [folder, code] of [
    ["backups/a", "INTERNAL"],
    ["backups/../a", "INVALID_ARGUMENT"],
  ] as const) {
    closed = false;
    const writing = new ArchiveWriter(storage, folder).writePart(configMaps, objects(), signal);
    await expect(writing).rejects.toMatchObject({ code });
    expect(closed).toBe(true);
  }
  expect(await readdir(join(root, ".unfinished"))).toEqual([]);
});

test("a reader that stops early leaves nothing open", async () => {
  const { storage } = await temporaryStorage();
  const manifest = await writeArchive(storage, "a", 20_000);
  const reader = await ArchiveReader.open(storage, "backups/a", signal);
  for (let i = 0; i < 50; i++) {
    for await (const object of reader.objects(manifest.parts[0] as Part, signal)) if (object.length > 0) break;
  }
  const open = await readdir("/proc/self/fd");
  expect(open.length).toBeLessThan(60);
});

test("deleting removes the manifest first, also of an unfinished archive, and can be repeated", async () => {
  const { root, storage } = await temporaryStorage();
  await writeArchive(storage, "a");
  await writeArchive(storage, "b");
  const writer = new ArchiveWriter(storage, "backups/a");
  const order: string[] = [];
  const recording = new Proxy(storage, {
    get: (target, name) =>
      name === "delete"
        ? async (key: string): Promise<void> => {
            order.push(key);
            await target.delete(key, signal);
          }
        : (Reflect.get(target, name) as () => unknown).bind?.(target),
  });
  await new ArchiveWriter(recording, "backups/a").delete(signal);
  expect(order[0]).toBe("backups/a/manifest.json");
  await writer.delete(signal);
  await writer.writePart(configMaps, stream(["{}"]), signal);
  await writer.delete(signal);
  expect(await readdir(join(root, "backups"))).toEqual(["b"]);
  await (await ArchiveReader.open(storage, "backups/b", signal)).verify(signal);
});
