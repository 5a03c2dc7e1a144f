import { backupFolder, safetyFolder } from "../archive/archive-paths.ts";
import type { ArchiveReader } from "../archive/archive-reader.ts";
import { uuidOf } from "../crn.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { RestorePlan } from "../model.ts";
import { Scope } from "./plan/scope.ts";
import type { RestoreSource } from "./restore-source.ts";
import { SavedIndex } from "./saved-index.ts";

/** What the restore brings back. With an `index` what one phase has learnt of the archive is known to the next. */
export async function backupSource(
  { archives }: Pick<JobParts, "archives">,
  { job, signal }: JobContext,
  plan: RestorePlan,
  index = new SavedIndex(),
): Promise<RestoreSource> {
  return sourceOf(await archives.open(folderOf(job.backupCrn), signal), plan, "", index);
}

/** The same, once it has been proven that all of it is there: a storage that is away is then waited for. */
export async function provenSource(
  { archives }: Pick<JobParts, "archives">,
  { job, signal }: JobContext,
  plan: RestorePlan,
  index = new SavedIndex(),
): Promise<RestoreSource> {
  return sourceOf(await archives.openAgain(folderOf(job.backupCrn), signal), plan, "", index);
}

/** What was there before the restore. */
export async function safetySource({ archives }: JobParts, { job, signal }: JobContext): Promise<RestoreSource> {
  return sourceOf(await archives.openAgain(safetyFolder(job.uuid), signal), { mapping: {} }, "back/", new SavedIndex());
}

function sourceOf(
  reader: ArchiveReader,
  plan: Pick<RestorePlan, "mapping">,
  notesPrefix: string,
  index: SavedIndex,
): RestoreSource {
  const scope = Scope.of(reader.manifest.includedNamespaces, plan);
  const { targetNamespaces } = scope;
  return { reader, scope, targetNamespaces, isWayBack: notesPrefix !== "", notesPrefix, index };
}

function folderOf(crn: string): string {
  return backupFolder(uuidOf(crn));
}
