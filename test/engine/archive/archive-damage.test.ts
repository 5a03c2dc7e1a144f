import { createHash } from "node:crypto";
import { appendFile, copyFile, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { ArchiveReader } from "../../../engine/archive/archive-reader.ts";
import type { Manifest, Part, SavedVolume } from "../../../engine/archive/format.ts";
import type { ArchiveEncryption } from "../../../engine/encryption/archive-encryption.ts";
import { DrsError } from "../../../engine/errors.ts";
import type { ArchiveStorage } from "../../../engine/storage/archive-storage.ts";
import { encryptionWith, keyOf, manifestOf, writeArchive } from "./archive-fixture.ts";
import { temporaryStorage } from "./temporary-storage.ts";

const { signal } = new AbortController();

/** What opening and verifying the archive meets; undefined when it is whole. */
async function proof(storage: ArchiveStorage, encryption?: ArchiveEncryption): Promise<unknown> {
  try {
    await (await ArchiveReader.open(storage, "backups/a", signal, encryption)).verify(signal);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** A manifest and its digest prove each other, so either may be named. */
function nameIn(file: string): string {
  return file.startsWith("manifest.json") ? "backups/a/manifest.json" : `backups/a/${file}`;
}

function damageOf(file: string): object {
  return { code: "DATA_LOSS", message: expect.stringContaining(nameIn(file)) };
}

function filesOf(manifest: Manifest): string[] {
  return ["manifest.json", "manifest.json.sha256", ...manifest.parts.map((part) => part.file)];
}

describe.each([
  ["an archive", undefined],
  ["an encrypted archive", encryptionWith(keyOf("key"))],
])("%s", (_name, encryption) => {
  test("a changed byte is found wherever it is", async () => {
    const { root, storage } = await temporaryStorage();
    const manifest = await writeArchive(storage, "a", 20, encryption?.keys);
    expect(await proof(storage, encryption)).toBeUndefined();
    let flips = 0;
    const missed: string[] = [];
    for (const file of filesOf(manifest)) {
      const path = join(root, "backups/a", file);
      const bytes = await readFile(path);
      const step = Math.max(1, Math.floor(bytes.length / 400));
      for (let at = 0; at < bytes.length; at += step, flips++) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ (1 << (at % 8));
        await writeFile(path, changed);
        const error = await proof(storage, encryption);
        const found = error instanceof DrsError && error.code === "DATA_LOSS" && error.message.includes(nameIn(file));
        if (!found) missed.push(`${file} at ${at}: ${String(error)}`);
      }
      await writeFile(path, bytes);
    }
    expect(missed).toEqual([]);
    expect(flips).toBeGreaterThan(1_000);
    expect(await proof(storage, encryption)).toBeUndefined();
  });

  test("a file that is cut, grown, emptied or gone is found", async () => {
    const { root, storage } = await temporaryStorage();
    const manifest = await writeArchive(storage, "a", 50, encryption?.keys);
    const frame = zstdCompressSync(Buffer.from('{"more":1}\n'));
    for (const file of filesOf(manifest)) {
      const path = join(root, "backups/a", file);
      const bytes = await readFile(path);
      for (const length of [0, 1, Math.floor(bytes.length / 2), bytes.length - 1]) {
        await truncate(path, length);
        expect(await proof(storage, encryption)).toMatchObject(damageOf(file));
        await writeFile(path, bytes);
      }
      for (const more of [Buffer.from([0]), Buffer.from("\n"), frame, Buffer.alloc(1_000_000)]) {
        await appendFile(path, more);
        expect(await proof(storage, encryption)).toMatchObject(damageOf(file));
        await writeFile(path, bytes);
      }
      await rm(path);
      expect(await proof(storage, encryption)).toMatchObject(
        file === "manifest.json" ? { code: "NOT_FOUND" } : damageOf(file),
      );
      await writeFile(path, bytes);
    }
    expect(await proof(storage, encryption)).toBeUndefined();
  });

  test("files exchanged between backups, or within one, are found", async () => {
    const { root, storage } = await temporaryStorage();
    const manifest = await writeArchive(storage, "a", 50, encryption?.keys);
    await writeArchive(storage, "b", 50, encryption?.keys);
    for (const file of filesOf(manifest)) {
      const path = join(root, "backups/a", file);
      const bytes = await readFile(path);
      await copyFile(join(root, "backups/b", file), path);
      expect(await proof(storage, encryption)).toMatchObject(damageOf(file));
      await writeFile(path, bytes);
    }
    const [first, second] = manifest.parts as [Part, Part];
    await copyFile(join(root, "backups/a", second.file), join(root, "backups/a", first.file));
    expect(await proof(storage, encryption)).toMatchObject(damageOf(first.file));
  });

  test("a whole archive under another backup's folder is found", async () => {
    const { root, storage } = await temporaryStorage();
    await writeArchive(storage, "a", 50, encryption?.keys);
    await writeArchive(storage, "b", 50, encryption?.keys);
    for (const file of ["manifest.json", "manifest.json.sha256"]) {
      await copyFile(join(root, "backups/b", file), join(root, "backups/a", file));
    }
    expect(await proof(storage, encryption)).toMatchObject(damageOf("manifest.json"));
  });
});

/** Writes a manifest as it stands, with a digest that fits: what someone else may hand us. */
async function forge(root: string, text: string): Promise<void> {
  const digest = createHash("sha256").update(text).digest("hex");
  await writeFile(join(root, "backups/a/manifest.json"), text);
  await writeFile(join(root, "backups/a/manifest.json.sha256"), `${digest}  manifest.json\n`);
}

test("a manifest of a newer format says to upgrade, whatever else is in it", async () => {
  const { root, storage } = await temporaryStorage();
  await writeArchive(storage, "a");
  await forge(root, '{"formatVersion":4,"everything":"else"}');
  expect(await proof(storage)).toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringContaining("newer version"),
  });
});

test("a manifest of the wrong shape is refused, and later members are not", async () => {
  const { root, storage } = await temporaryStorage();
  const manifest = await writeArchive(storage, "a");
  const [first, second] = manifest.parts as [Part, Part];
  const [volume] = manifest.volumes as [SavedVolume];
  const { data, ...claim } = volume;
  const flat = { ...manifest, formatVersion: 1, volumes: [{ ...claim, ...data[0] }] };
  const withSnapshot = (wrongly: object) => [
    { ...manifest, volumes: [{ ...volume, data: [{ ...data[0], ...wrongly }] }] },
    { ...flat, volumes: [{ ...claim, ...data[0], ...wrongly }] },
  ];
  const wrong: unknown[] = [
    null,
    [],
    {},
    { ...manifest, formatVersion: "1" },
    { ...manifest, state: "DONE" },
    { ...manifest, parts: {} },
    { ...manifest, createdTime: "yesterday" },
    { ...manifest, includedNamespaces: [1] },
    { ...manifest, formatVersion: 1 },
    { ...flat, formatVersion: 3 },
    ...withSnapshot({ snapshotHandle: 1 }),
    ...withSnapshot({ restoreSize: "1Gi" }),
    ...[[], [{ ...data[0], kind: "tape" }], [data[0], data[0]], {}].map((data) => ({
      ...manifest,
      volumes: [{ ...claim, data }],
    })),
    { ...manifest, messages: [{ level: "info" }] },
    { ...manifest, parts: [first, first] },
    { ...manifest, parts: [first, { ...first, file: `${first.file}.enc` }] },
    { ...manifest, parts: [{ ...first, file: second.file }] },
    { ...manifest, formatVersion: 2 },
    ...["../../../api/v1/nodes", "configmaps?watch", "a/b", ".", ""].map((resource) => ({
      ...manifest,
      parts: [{ ...first, resource, file: `objects/core.v1.${resource}.ndjson.zst` }],
    })),
    ...["v1/../..", "apps/v1/x", "/v1", ""].map((apiVersion) => ({ ...manifest, parts: [{ ...first, apiVersion }] })),
    ...["..", "kube/system", "", "CDP"].map((namespace) => ({ ...manifest, includedNamespaces: ["cdp", namespace] })),
    ...[{ namespace: "kube-system" }, { claim: ".." }, { persistentVolume: "a/b" }].map((wrongly) => ({
      ...manifest,
      volumes: [{ ...volume, ...wrongly }],
    })),
    { ...manifest, parts: [{ ...first, uncompressed: "1" }] },
    ...[
      "../b/objects/x",
      "/etc/passwd",
      "objects/../manifest.json",
      "objects/a/b",
      "objects/.x",
      "",
      "objects/\u0000",
    ].map((file) => ({ ...manifest, parts: [{ ...first, file }, second] })),
    ...[-1, 1.5, 1e300, "1", null].flatMap((count) => [
      { ...manifest, parts: [{ ...first, objects: count }] },
      { ...manifest, parts: [{ ...first, size: count }] },
    ]),
    { ...manifest, parts: [{ ...first, sha256: first.sha256.toUpperCase() }] },
    ...["backupName", "backupJob", "entity", "kubernetesVersion"].flatMap((name) =>
      ["x".repeat(256), "two\nlines", "\ud800"].map((text) => ({ ...manifest, [name]: text })),
    ),
    ...["x", `crn:${"x".repeat(600)}:backup:a`, "crn:\n:backup:a"].map((backupCrn) => ({ ...manifest, backupCrn })),
    { ...manifest, volumes: [{ ...volume, storageClass: "x".repeat(256) }] },
    ...["driver", "snapshotClass"].flatMap((name) => withSnapshot({ [name]: "x".repeat(256) })),
    ...withSnapshot({ snapshotHandle: "x".repeat(20_000) }),
    ...[{ text: "x".repeat(20_000) }, { namespace: "x".repeat(256) }].map((wrongly) => ({
      ...manifest,
      messages: [{ ...manifest.messages[0], ...wrongly }],
    })),
    { ...manifest, includedNamespaces: Array.from({ length: 1_001 }, (_, i) => `namespace-${i}`) },
  ];
  for (const value of wrong) {
    await forge(root, JSON.stringify(value));
    expect(await proof(storage)).toMatchObject(damageOf("manifest.json"));
  }
  await forge(root, "{");
  expect(await proof(storage)).toMatchObject(damageOf("manifest.json"));
  for (const right of [manifest, flat]) {
    await forge(root, JSON.stringify({ ...right, later: 1, parts: [{ ...first, later: {} }, second] }));
    expect(await proof(storage)).toBeUndefined();
  }
});

test("a manifest with the longest texts that the service writes is no damage", async () => {
  const { root, storage } = await temporaryStorage();
  const manifest = await writeArchive(storage, "a");
  const longest = {
    ...manifest,
    backupCrn: `crn:${"p".repeat(128)}:drs:${"r".repeat(128)}:${"a".repeat(128)}:backup:a`,
    backupName: "\u00e4".repeat(255),
    volumes: manifest.volumes.map(({ data, ...claim }) => ({
      ...claim,
      storageClass: "",
      data: data.map((snapshot) => ({ ...snapshot, snapshotHandle: "/".repeat(8_192) })),
    })),
    messages: ["", "cdp"].map((namespace) => ({
      ...manifest.messages[0],
      namespace,
      text: `${"\n".repeat(8_192)}... (cut)`,
    })),
  };
  await forge(root, JSON.stringify(longest));
  expect(await proof(storage)).toBeUndefined();
});

test("a part whose lines are no objects, or not as many as the manifest says, is refused", async () => {
  const { root, storage } = await temporaryStorage();
  const manifest = await writeArchive(storage, "a");
  const part = manifest.parts[0] as Part;
  const forgePart = async (content: string, objects: number, uncompressed = content.length): Promise<void> => {
    const bytes = zstdCompressSync(Buffer.from(content));
    await writeFile(join(root, "backups/a", part.file), bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    await forge(
      root,
      JSON.stringify(manifestOf("a", [{ ...part, size: bytes.length, sha256, objects, uncompressed }])),
    );
  };
  await forgePart('{"a":1}\n{"b":2}\n', 2);
  expect(await proof(storage)).toBeUndefined();
  const wrong: [content: string, objects: number, uncompressed?: number][] = [
    ['{"a":1}\n', 1, 7],
    ['{"a":1}\n', 1, 9],
    ["{}\n".repeat(50_000_000), 50_000_000, 3_000], // unpacks to more than it says
    ['{"a":1}\n{"b":2}\n', 1],
    ['{"a":1}\n{"b":2}\n', 3],
    ['{"a":1}\n{"b":2}', 2],
    ['{"a":1}\n\n', 2],
    ['{"a":1}\n[1]\n', 2],
    ['{"a":1}\nnull\n', 2],
    ['{"a":1}\n{"b":\n', 2],
    [" ".repeat(70_000_000), 1], // a few kilobytes that unpack to a line without end
  ];
  for (const [content, objects, uncompressed] of wrong) {
    await forgePart(content, objects, uncompressed);
    expect(await proof(storage)).toMatchObject(damageOf(part.file));
  }
});
