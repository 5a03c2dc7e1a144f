import { backupFolder, safetyFolder } from "../../archive/archive-paths.ts";
import type { ArchiveReader } from "../../archive/archive-reader.ts";
import { uuidOf } from "../../crn.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { RestorePlan } from "../../model.ts";
import { notedScope, rollbackScope } from "./resolving-scope.ts";
import { Scope } from "../source/scope.ts";
import { type ChosenCopies, chosenCopies } from "../source/chosen-copies.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import { SavedIndex } from "../source/saved-index.ts";

/** The restore's source, before PRE_VALIDATION has resolved its plan. With an `index` one phase's knowledge of the archive passes to the next. */
export async function backupSource(
  { archives }: Pick<JobDeps, "archives">,
  { job, signal }: JobContext,
  plan: RestorePlan,
  index = new SavedIndex(),
): Promise<RestoreSource> {
  const reader = await archives.open(folderOf(job.backupCrn), signal);
  return sourceOf(reader, Scope.of(reader.manifest.includedNamespaces, plan), "", index);
}

/** The same, once it has been proven that all of it is there: a storage that is away is then waited for. */
export async function provenSource(
  { archives }: Pick<JobDeps, "archives">,
  context: JobContext,
  plan: RestorePlan,
  index = new SavedIndex(),
): Promise<RestoreSource> {
  const reader = await archives.openAgain(folderOf(context.job.backupCrn), context.signal);
  return sourceOf(reader, notedScope(reader, plan, context), "", index, chosenCopies(context));
}

/** The control plane before the restore. */
export async function safetySource({ archives }: JobDeps, context: JobContext): Promise<RestoreSource> {
  const reader = await archives.openAgain(safetyFolder(context.job.uuid), context.signal);
  return sourceOf(reader, rollbackScope(reader.manifest.includedNamespaces, context), "back/", new SavedIndex());
}

function sourceOf(
  reader: ArchiveReader,
  scope: Scope,
  notesPrefix: string,
  index: SavedIndex,
  copies: ChosenCopies = new Map(),
): RestoreSource {
  const { targetNamespaces } = scope;
  return { reader, scope, targetNamespaces, isRollback: notesPrefix !== "", notesPrefix, index, copies };
}

function folderOf(crn: string): string {
  return backupFolder(uuidOf(crn));
}
