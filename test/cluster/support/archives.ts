import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ArchiveReader } from "../../../engine/archive/archive-reader.ts";
import { Archives } from "../../../engine/archive/archives.ts";
import { readKeyFile } from "../../../engine/encryption/key-file.ts";
import { FilesystemArchiveStorage } from "../../../engine/storage/filesystem-archive-storage.ts";

/** The flag with which another service reads what the one with this data folder has encrypted. */
export function keysOf(data: string): string {
  return `--encryption-keys=${keyFileIn(data)}`;
}

/** A backup's archive in a service's data folder, opened with the key that the service has made. */
export async function openBackup(data: string, backupCrn: string): Promise<ArchiveReader> {
  const keys = await readKeyFile(keyFileIn(data));
  const archives = new Archives(new FilesystemArchiveStorage(join(data, "archives")), {
    keys,
    readsUnencrypted: false,
  });
  return archives.open(`backups/${backupCrn.slice(backupCrn.lastIndexOf(":") + 1)}`, new AbortController().signal);
}

/** What the storage system calls a backup's snapshots. */
export async function snapshotHandlesOf(data: string, backupCrn: string): Promise<readonly string[]> {
  const { manifest } = await openBackup(data, backupCrn);
  return manifest.volumes.flatMap(({ data }) => data.map(({ snapshotHandle }) => snapshotHandle));
}

/** Damages a kind's part (`core.v1.configmaps`) of a backup's archive, or of a restore's safety archive; returns its repair. */
export async function damagePart(data: string, crn: string, kind: string): Promise<() => Promise<void>> {
  const uuid = crn.slice(crn.lastIndexOf(":") + 1);
  const folder = join(data, "archives", crn.includes(":restore:") ? "safety" : "backups", uuid, "objects");
  const part = (await readdir(folder)).find((name) => name.startsWith(`${kind}.`));
  if (part === undefined) throw new Error(`there are no ${kind} in ${folder}`);
  const bytes = await readFile(join(folder, part));
  await writeFile(
    join(folder, part),
    bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte)),
  );
  return () => writeFile(join(folder, part), bytes);
}

function keyFileIn(data: string): string {
  return join(data, "encryption-keys");
}
