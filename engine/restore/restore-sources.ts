import { backupFolder, safetyFolder } from "../archive/archive-paths.ts";
import { ArchiveReader } from "../archive/archive-reader.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { RestoreSource } from "./restore-source.ts";

/** What the restore brings back. */
export async function backupSource({ storage }: JobParts, { job, signal }: JobContext): Promise<RestoreSource> {
  const uuid = job.backupCrn.slice(job.backupCrn.lastIndexOf(":") + 1);
  const reader = await ArchiveReader.open(storage, backupFolder(uuid), signal);
  return { reader, namespaces: reader.manifest.includedNamespaces, notesPrefix: "" };
}

/** What was there before the restore. */
export async function safetySource({ storage }: JobParts, { job, signal }: JobContext): Promise<RestoreSource> {
  const reader = await ArchiveReader.open(storage, safetyFolder(job.uuid), signal);
  return { reader, namespaces: reader.manifest.includedNamespaces, notesPrefix: "back/" };
}
