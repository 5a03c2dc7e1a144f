import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ArchiveReader } from "../../../engine/archive/archive-reader.ts";
import { ArchiveWriter } from "../../../engine/archive/archive-writer.ts";
import type { Manifest, Part } from "../../../engine/archive/format.ts";
import { encryptFile, decryptFile } from "../../../engine/archive/encrypted-file.ts";
import { configMaps, encryptionWith, keyOf, manifestOf, stream, writeArchive } from "./archive-fixture.ts";
import { temporaryStorage } from "./temporary-storage.ts";

const { signal } = new AbortController();
const a = keyOf("a");
const b = keyOf("b");
const encryption = encryptionWith(a);

/** The storage with an encrypted archive of one part of some chunks: what is random does not compress. */
async function encrypted(uuid = "x") {
  const { root, storage } = await temporaryStorage();
  const writer = new ArchiveWriter(storage, `backups/${uuid}`, encryption.keys);
  const objects = Array.from({ length: 3_000 }, (_, i) => JSON.stringify({ i, noise: noise(i) }));
  const part = (await writer.writePart(configMaps, stream(objects), signal)) as Part;
  await writer.writeManifest(manifestOf(uuid, [part]), signal);
  return {
    root,
    storage,
    objects,
    part,
    folder: join(root, "backups", uuid),
    file: join(root, "backups", uuid, part.file),
  };
}

const noise = (seed: number): string => createHash("sha512").update(String(seed)).digest("base64");

test("objects come back byte for byte with the key, and nothing of them can be read without", async () => {
  const { root, storage, objects, part } = await encrypted();
  const reader = await ArchiveReader.open(storage, "backups/x", signal, encryption);
  await reader.verify(signal);
  expect((await Array.fromAsync(reader.objects(part, signal))).map(String)).toEqual(objects);
  expect(reader.manifest).toEqual(manifestOf("x", [part]));
  for (const name of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue;
    const bytes = await readFile(join(name.parentPath, name.name), "latin1");
    for (const secret of ["nightly", "vault-system", "snap-1", noise(7), "metadata"])
      expect(bytes).not.toContain(secret);
    for (const compressed of bytes.split("\n")) expect(compressed.startsWith("\u0028\u00b5\u002f\u00fd")).toBe(false);
  }
});

test("sha256sum proves an encrypted archive without its key, and the key's id can be read", async () => {
  const { folder } = await encrypted();
  const shell = (command: string) => execFileSync("sh", ["-c", command], { cwd: folder }).toString();
  expect(shell("sha256sum -c manifest.json.sha256")).toBe("manifest.json: OK\n");
  const { keyId, parts } = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as Manifest & {
    keyId: string;
  };
  expect(keyId).toBe("a");
  const [part] = parts as [Part];
  expect(shell(`echo "${part.sha256}  ${part.file}" | sha256sum -c`)).toBe(`${part.file}: OK\n`);
});

test("two archives of the same objects have nothing in common", async () => {
  const one = await encrypted();
  const other = await encrypted();
  expect(one.part.sha256).not.toBe(other.part.sha256);
});

test("content of any length around a chunk's comes back", async () => {
  const chunk = 64 * 1024;
  for (const length of [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3 * chunk + 5]) {
    const content = Buffer.alloc(length, "content");
    const sealed = Buffer.concat(await Array.fromAsync(encryptFile(stream([content]), "backups/x/file", a)));
    for (const size of [1_000, chunk, sealed.length]) {
      const pieces = Array.from({ length: Math.ceil(sealed.length / size) }, (_, i) =>
        sealed.subarray(i * size, (i + 1) * size),
      );
      const opened = await Array.fromAsync(decryptFile(stream(pieces), "backups/x/file", encryption.keys));
      expect(Buffer.concat(opened).equals(content)).toBe(true);
    }
  }
});

test("a key that is missing, or another one of its name, is distinguished from damage and says what to do", async () => {
  const { storage } = await encrypted();
  const open = (with_?: typeof encryption) => ArchiveReader.open(storage, "backups/x", signal, with_);
  await expect(open()).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringMatching(
      /manifest\.json is encrypted with key a \(fingerprint \w{16}\), which the service does not have: add it/,
    ),
  });
  await expect(open(encryptionWith(b))).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringContaining("which the service does not have: add it to the file of --encryption-keys"),
  });
  await expect(open(encryptionWith(b, keyOf("a", "another")))).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringContaining("but the service's a is another key"),
  });
  await (await open(encryptionWith(b, a))).verify(signal);
});

test("archives of an older format and those of an older key are read; what is not encrypted only where that is wished", async () => {
  const { storage } = await temporaryStorage();
  await writeArchive(storage, "plain");
  await writeArchive(storage, "older", 50, encryption.keys);
  const rotated = encryptionWith(b, a);
  await writeArchive(storage, "newer", 50, rotated.keys);
  for (const name of ["older", "newer"])
    await (await ArchiveReader.open(storage, `backups/${name}`, signal, rotated)).verify(signal);
  await expect(ArchiveReader.open(storage, "backups/plain", signal, rotated)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringMatching(/backups\/plain is not encrypted.*--unencrypted-archives read/),
  });
  const lenient = { ...rotated, readsUnencrypted: true };
  await (await ArchiveReader.open(storage, "backups/plain", signal, lenient)).verify(signal);
  await (await ArchiveReader.open(storage, "backups/plain", signal)).verify(signal);
});

test("chunks that are cut off, exchanged, repeated or another file's are refused, and distinguished from damage", async () => {
  const { file, storage } = await encrypted();
  const other = await encrypted("y");
  const [header, ...chunks] = split(await readFile(file)) as [Buffer, ...Buffer[]];
  const [, ...foreign] = split(await readFile(other.file)) as [Buffer, ...Buffer[]];
  const [first, second] = chunks as [Buffer, Buffer];
  expect(chunks.length).toBeGreaterThan(3);
  const flipped = Buffer.from(first);
  flipped[1_000] = (flipped[1_000] as number) ^ 1;
  const last = chunks.at(-1) as Buffer;
  const cases: [pieces: Buffer[], message: string][] = [
    [[flipped, ...chunks.slice(1)], "is damaged: chunk 0 is damaged"],
    [chunks.slice(0, -1), `is damaged: it is cut off after chunk ${chunks.length - 2}`],
    [[second, first, ...chunks.slice(2)], "was altered: chunk 1 is in the place of chunk 0"],
    [[first, first, ...chunks.slice(1)], "was altered: chunk 0 is in the place of chunk 1"],
    [chunks.slice(1), "was altered: chunk 1 is in the place of chunk 0"],
    [[first, foreign[1] as Buffer, ...chunks.slice(2)], "was altered: chunk 1 is another file's"],
    [[...chunks, Buffer.alloc(70_000)], "was altered: more follows its last chunk"],
    [[...chunks.slice(0, -1), last.subarray(0, 50)], "is damaged"],
    [[], "is damaged"],
  ];
  const name = "backups/x/objects/core.v1.configmaps.ndjson.zst.enc";
  const open = (pieces: Buffer[]) => Array.fromAsync(decryptFile(stream([header, ...pieces]), name, encryption.keys));
  expect(await open(chunks)).toHaveLength(chunks.length);
  for (const [pieces, message] of cases)
    await expect(open(pieces)).rejects.toMatchObject({ code: "DATA_LOSS", message: expect.stringContaining(message) });
  // The whole archive refuses each of them, too: what it proves first may be its length.
  const reader = await ArchiveReader.open(storage, "backups/x", signal, encryption);
  for (const [pieces] of cases) {
    await writeFile(file, Buffer.concat([header, ...pieces]));
    await expect(reader.verify(signal)).rejects.toMatchObject({
      code: "DATA_LOSS",
      message: expect.stringContaining(name),
    });
  }
});

/** A sealed file's header and chunks. */
function split(sealed: Buffer): Buffer[] {
  const start = sealed.indexOf("\n") + 1;
  const size = 64 * 1024 + 28;
  const count = Math.ceil((sealed.length - start) / size);
  return [
    sealed.subarray(0, start),
    ...Array.from({ length: count }, (_, i) => sealed.subarray(start + i * size, start + (i + 1) * size)),
  ];
}

test("a writer to the storage without the key can put no archive, and no file of one, in another's place", async () => {
  const { root, storage, folder, part } = await encrypted();
  await writeArchive(storage, "y", 50, encryption.keys);
  const y = join(root, "backups/y");
  const refused = async (message: RegExp) => {
    const proof = ArchiveReader.open(storage, "backups/x", signal, encryption).then((reader) => reader.verify(signal));
    await expect(proof).rejects.toMatchObject({ message: expect.stringMatching(message) });
  };
  await cp(join(y, part.file), join(folder, part.file));
  await refused(/configmaps.*was altered: it is backups\/y\/objects\/.*, put in its place/);
  await rm(folder, { recursive: true });
  await cp(y, folder, { recursive: true });
  await refused(/backups\/x\/manifest\.json was altered: it is backups\/y\/manifest\.json, put in its place/);
  await rm(folder, { recursive: true });
  await writeArchive(storage, "x");
  await refused(/backups\/x is not encrypted/);
});
