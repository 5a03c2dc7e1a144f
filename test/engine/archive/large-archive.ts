/**
 * A program: writes an archive of `objects` objects of about `bytes` bytes into a folder, reads it back, and prints how
 * long that took and the most memory the process had. Run as `node large-archive.ts <folder> <objects> <bytes> <plain|encrypted>`.
 */
import { randomBytes } from "node:crypto";
import { ArchiveReader } from "../../../engine/archive/archive-reader.ts";
import { ArchiveWriter } from "../../../engine/archive/archive-writer.ts";
import type { Part } from "../../../engine/archive/format.ts";
import { FilesystemArchiveStorage } from "../../../engine/storage/filesystem-archive-storage.ts";
import { configMaps, encryptionWith, keyOf, manifestOf } from "./archive-fixture.ts";

const [folder = "", objects = "", bytes = "", form = "plain"] = process.argv.slice(2);
const encryption = form === "encrypted" ? encryptionWith(keyOf("key")) : undefined;
const { signal } = new AbortController();
const storage = new FilesystemArchiveStorage(folder);
const noise = randomBytes(1_000_000).toString("base64");

async function* sample(): AsyncGenerator<Buffer> {
  const spec = "containers:image:registry.example.com/team/service,resources:limits:memory:512Mi;".repeat(400);
  for (let i = 0; i < Number(objects); i++) {
    const start = (i * 7919) % 1_000_000;
    const random = noise.slice(start, start + Number(bytes) / 4);
    yield Buffer.from(
      `{"metadata":{"name":"object-${i}"},"data":"${random}${spec.slice(0, (Number(bytes) * 3) / 4)}"}`,
    );
  }
}

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

const writer = new ArchiveWriter(storage, "backups/large", encryption?.keys);
let part: Part | null = null;
const writeSeconds = await seconds(async () => {
  part = await writer.writePart(configMaps, sample(), signal);
});
const written = part as unknown as Part;
await writer.writeManifest(manifestOf("large", [written]), signal);
const reader = await ArchiveReader.open(storage, "backups/large", signal, encryption);
let count = 0;
const readSeconds = await seconds(async () => {
  for await (const _ of reader.objects(written, signal)) count++;
});
const verifySeconds = await seconds(() => reader.verify(signal));
const maxMemory = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ count, size: written.size, writeSeconds, readSeconds, verifySeconds, maxMemory }));
