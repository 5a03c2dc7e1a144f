import { expect, test } from "vitest";
import { Archives } from "../../../engine/archive/archives.ts";
import { ArchiveWriter } from "../../../engine/archive/archive-writer.ts";
import { KnownArchives } from "../../../engine/archive/known-archives.ts";
import { temporaryStore } from "../store/temporary-store.ts";
import { encryptionWith, keyOf, manifestOf, writeArchive } from "./archive-fixture.ts";
import { temporaryStorage } from "./temporary-storage.ts";

const { signal } = new AbortController();
const folder = "backups/a";
const encryption = { ...encryptionWith(keyOf("key")), readsUnencrypted: true };

async function setUp() {
  const { storage } = await temporaryStorage();
  const archives = new Archives(storage, encryption, new KnownArchives(temporaryStore().archives));
  const plain = new Archives(storage, undefined, new KnownArchives(temporaryStore().archives));
  return { storage, archives, plain };
}

const exchanged = (word: string) => ({
  code: "DATA_LOSS",
  message: expect.stringContaining(`backups/a/manifest.json was altered: it is not the one that was ${word} here`),
});

test("an archive that was written here is authentic, encrypted or not, and no other one is believed in its place", async () => {
  const { storage, archives, plain } = await setUp();
  for (const { written, keys } of [
    { written: archives, keys: encryption.keys },
    { written: plain, keys: undefined },
  ]) {
    await written.writer(folder).writeManifest(manifestOf("a", []), signal);
    expect((await written.open(folder, signal)).isAuthentic).toBe(true);
    await writeArchive(storage, "a", 5, keys);
    await expect(written.open(folder, signal)).rejects.toMatchObject(exchanged("written"));
    await expect(written.openAgain(folder, signal)).rejects.toMatchObject(exchanged("written"));
  }
});

test("an archive that is written again replaces the first, and one that was deleted may come back", async () => {
  const { storage, plain } = await setUp();
  const writer = plain.writer(folder);
  for (const finishedTime of ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]) {
    await writer.writeManifest({ ...manifestOf("a", []), finishedTime }, signal);
    expect((await plain.open(folder, signal)).manifest.finishedTime).toBe(finishedTime);
  }
  await writer.delete(signal);
  await writeArchive(storage, "a");
  expect((await plain.open(folder, signal)).isAuthentic).toBe(false);
});

test("an archive that was found is believed as it was first, or when its key proves it", async () => {
  const { storage, archives } = await setUp();
  await writeArchive(storage, "a", 5);
  expect((await archives.open(folder, signal)).isAuthentic).toBe(false);
  expect((await archives.open(folder, signal)).isAuthentic).toBe(false);
  await writeArchive(storage, "a", 6);
  await expect(archives.open(folder, signal)).rejects.toMatchObject(exchanged("first found"));
  for (const objects of [7, 8]) {
    await writeArchive(storage, "a", objects, encryption.keys);
    expect((await archives.open(folder, signal)).isAuthentic).toBe(true);
  }
  await writeArchive(storage, "a", 8);
  await expect(archives.open(folder, signal)).rejects.toMatchObject(exchanged("first found"));
});

test("a manifest that is not written whole does not make the one before believed", async () => {
  const { storage, archives } = await setUp();
  await archives.writer(folder).writeManifest(manifestOf("a", []), signal);
  const failing = new Proxy(storage, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (name === "write") return () => Promise.reject(new Error("the disk is full"));
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const known = new KnownArchives(temporaryStore().archives);
  await expect(
    new ArchiveWriter(failing, folder, encryption.keys, known).writeManifest(manifestOf("a", []), signal),
  ).rejects.toThrow("the disk is full");
  await expect(new Archives(storage, encryption, known).open(folder, signal)).rejects.toMatchObject(
    exchanged("written"),
  );
});
