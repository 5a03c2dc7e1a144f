import { backupsFolder, manifestFile, safetyArchivesFolder } from "./archive/archive-paths.ts";
import { DrsError } from "./errors.ts";
import type { ArchiveStorage } from "./storage/archive-storage.ts";
import type { JobStore } from "./store/job-store.ts";

/**
 * The folders of the storage that are no backup and belong to no job in the database: safety archives of restores that only
 * an earlier database knew, and backups that were never finished, or deleted by half. The last copy of something may be in
 * them, so nothing is removed. Throws when the storage itself fails.
 */
export async function* orphanedArchives(
  storage: ArchiveStorage,
  jobs: Pick<JobStore, "hasUuid">,
  signal: AbortSignal,
): AsyncGenerator<string> {
  for (const place of [safetyArchivesFolder, backupsFolder])
    for (const name of await storage.listFolder(place, signal)) {
      if (!name.endsWith("/") || jobs.hasUuid(name.slice(0, -1))) continue;
      if (place === backupsFolder && (await isThere(storage, `${place}${name}${manifestFile}`, signal))) continue;
      // Not if it has been deleted meanwhile, along with its job.
      if ((await storage.listFolder(place + name, signal)).length > 0) yield place + name.slice(0, -1);
    }
}

async function isThere(storage: ArchiveStorage, key: string, signal: AbortSignal): Promise<boolean> {
  try {
    await storage.size(key, signal);
    return true;
  } catch (error) {
    if (error instanceof DrsError && error.code === "NOT_FOUND") return false;
    throw error;
  }
}
