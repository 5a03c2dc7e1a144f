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
  return manifest.volumes.map(({ snapshotHandle }) => snapshotHandle);
}

function keyFileIn(data: string): string {
  return join(data, "encryption-keys");
}
