import { DrsError } from "../errors.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import { backupsFolder } from "./archive-paths.ts";
import type { Archives } from "./archives.ts";
import type { Manifest } from "./format.ts";

/** A backup's archive in the storage: its manifest, or why it cannot be read. */
export type CatalogEntry =
  | { readonly folder: string; readonly manifest: Manifest }
  | { readonly folder: string; readonly error: DrsError };

/**
 * The backups that lie in the storage, by their manifests; the parts are not read. A folder without a manifest is a backup
 * being made or deleted, and left out. Throws when the storage itself fails, so that no backup is taken for missing.
 */
export async function* listArchives(
  storage: ArchiveStorage,
  archives: Archives,
  signal: AbortSignal,
): AsyncGenerator<CatalogEntry> {
  for (const name of await storage.listFolder(backupsFolder, signal)) {
    if (!name.endsWith("/")) continue;
    const folder = backupsFolder + name.slice(0, -1);
    try {
      const { manifest } = await archives.open(folder, signal);
      yield { folder, manifest };
    } catch (error) {
      if (!(error instanceof DrsError)) throw error;
      if (error.code === "DATA_LOSS" || error.code === "FAILED_PRECONDITION") yield { folder, error };
      else if (error.code !== "NOT_FOUND") throw error;
    }
  }
}
