import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ArchiveWriter } from "../../../engine/archive/archive-writer.ts";
import { Archives } from "../../../engine/archive/archives.ts";
import { listArchives } from "../../../engine/archive/catalog.ts";
import { configMaps, stream, writeArchive } from "./archive-fixture.ts";
import { temporaryStorage } from "./temporary-storage.ts";

const { signal } = new AbortController();

test("finds the backups that lie in the storage, says which are damaged, and skips unfinished ones", async () => {
  const { root, storage } = await temporaryStorage();
  expect(await Array.fromAsync(listArchives(storage, new Archives(storage), signal))).toEqual([]);
  const whole = await writeArchive(storage, "whole");
  await writeArchive(storage, "damaged");
  await truncate(join(root, "backups/damaged/manifest.json"), 10);
  await writeArchive(storage, "undigested");
  await rm(join(root, "backups/undigested/manifest.json.sha256"));
  await writeArchive(storage, "half-deleted");
  await rm(join(root, "backups/half-deleted/manifest.json"));
  await new ArchiveWriter(storage, "backups/unfinished").writePart(configMaps, stream(["{}"]), signal);
  await new ArchiveWriter(storage, "safety/restore").writeManifest({ ...whole, parts: [] }, signal);
  await writeFile(join(root, "backups/stray-file"), "");
  await mkdir(join(root, "backups/empty-folder"));
  await mkdir(join(root, "backups/no key of ours"));
  expect(await Array.fromAsync(listArchives(storage, new Archives(storage), signal))).toEqual([
    { folder: "backups/damaged", error: expect.objectContaining({ code: "DATA_LOSS" }) },
    { folder: "backups/undigested", error: expect.objectContaining({ code: "DATA_LOSS" }) },
    { folder: "backups/whole", manifest: whole },
  ]);
});
