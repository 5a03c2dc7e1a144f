import { backupFolder, safetyFolder } from "../archive/archive-paths.ts";
import type { ArchiveReader } from "../archive/archive-reader.ts";
import { uuidOf } from "../crn.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { RestoreSource } from "./restore-source.ts";

/** What the restore brings back. */
export async function backupSource(
  { archives }: Pick<JobParts, "archives">,
  { job, signal }: JobContext,
): Promise<RestoreSource> {
  return sourceOf(await archives.open(folderOf(job.backupCrn), signal), "");
}

/** The same, once it has been proven that all of it is there: a storage that is away is then waited for. */
export async function provenSource(
  { archives }: Pick<JobParts, "archives">,
  { job, signal }: JobContext,
): Promise<RestoreSource> {
  return sourceOf(await archives.openAgain(folderOf(job.backupCrn), signal), "");
}

/** What was there before the restore. */
export async function safetySource({ archives }: JobParts, { job, signal }: JobContext): Promise<RestoreSource> {
  return sourceOf(await archives.openAgain(safetyFolder(job.uuid), signal), "back/");
}

function sourceOf(reader: ArchiveReader, notesPrefix: string): RestoreSource {
  return { reader, namespaces: reader.manifest.includedNamespaces, isWayBack: notesPrefix !== "", notesPrefix };
}

function folderOf(crn: string): string {
  return backupFolder(uuidOf(crn));
}
