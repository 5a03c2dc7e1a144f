import { backupFolder, safetyFolder } from "../archive/archive-paths.ts";
import { ArchiveReader } from "../archive/archive-reader.ts";
import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import type { RestoreSource } from "./restore-source.ts";

/** What the restore brings back. */
export async function backupSource(
  { storage }: Pick<JobParts, "storage">,
  { job, signal }: JobContext,
): Promise<RestoreSource> {
  return openBackup(storage, job.backupCrn, signal);
}

/** The same, once it has been proven that all of it is there: a storage that is away is then waited for. */
export async function provenSource(
  { storage }: Pick<JobParts, "storage">,
  { job, signal }: JobContext,
): Promise<RestoreSource> {
  return openBackup(known(storage), job.backupCrn, signal);
}

/** What was there before the restore. */
export async function safetySource({ storage }: JobParts, { job, signal }: JobContext): Promise<RestoreSource> {
  const reader = await ArchiveReader.open(known(storage), safetyFolder(job.uuid), signal);
  return { reader, namespaces: reader.manifest.includedNamespaces, notesPrefix: "back/" };
}

type Reading = Pick<ArchiveStorage, "read">;

async function openBackup(storage: Reading, crn: string, signal: AbortSignal): Promise<RestoreSource> {
  const reader = await ArchiveReader.open(storage, backupFolder(crn.slice(crn.lastIndexOf(":") + 1)), signal);
  return { reader, namespaces: reader.manifest.includedNamespaces, notesPrefix: "" };
}

/** A file that has been there and is not there now is away with its storage, which may come back. */
function known(storage: ArchiveStorage): Reading {
  return {
    async read(key, signal) {
      try {
        return await storage.read(key, signal);
      } catch (error) {
        if (!(error instanceof DrsError) || error.code !== "NOT_FOUND") throw error;
        throw new DrsError("UNAVAILABLE", `${key} is gone from ${storage.description}: is the storage there?`, {
          cause: error,
        });
      }
    },
  };
}
