import { backupFolder } from "./archive/archive-paths.ts";
import type { CatalogEntry } from "./archive/catalog.ts";
import type { Manifest } from "./archive/format.ts";
import { parseCrn } from "./crn.ts";
import { DrsError } from "./errors.ts";
import { delayAfter, pause } from "./jobs/backoff.ts";
import type { Logger } from "./logger.ts";
import type { JobRecord } from "./store/job-record.ts";
import { StoreError } from "./store/store-errors.ts";
import type { Store } from "./store/store.ts";

export interface ImportDeps {
  readonly store: Store;
  archives(signal: AbortSignal): AsyncIterable<CatalogEntry>;
  /** Folders that are no backups and belong to no job: see `orphanedArchives`. */
  orphans(signal: AbortSignal): AsyncIterable<string>;
  /** Called in the transaction that records a backup. */
  readonly onFound?: (backup: JobRecord, manifest: Manifest) => void;
  readonly logger: Logger;
  readonly clock: () => Date;
  readonly random: () => number;
}

const orphaned =
  'an archive in storage belongs to no job of this service: see "Archives that belong to no job" in docs/operations.md';

const backoff = { firstDelay: 2_000, maxDelay: 300_000 };

/**
 * Records the backups that are in the storage and not in the database: of an earlier service, or of one elsewhere.
 * Anything else there that belongs to no job is logged.
 * A damaged archive is logged and passed over. A storage (or database) that fails is tried again until the signal, and
 * every such failure calls `onFailure`.
 */
export async function importArchives(deps: ImportDeps, signal: AbortSignal, onFailure: () => void): Promise<void> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    const begun = deps.clock();
    try {
      for await (const found of deps.archives(signal)) importFound(deps, found, begun);
      for await (const folder of deps.orphans(signal)) deps.logger.warn({ code: "DRS-A013", folder }, orphaned);
      return;
    } catch (error) {
      if (signal.aborted) return;
      deps.logger.warn({ err: error }, "backups in storage cannot be taken over yet");
      onFailure();
      await pause(delayAfter(failures, backoff, deps.random), signal);
    }
  }
}

function importFound(deps: ImportDeps, found: CatalogEntry, begun: Date): void {
  const { logger, clock } = deps;
  const { folder } = found;
  try {
    if ("error" in found) throw found.error;
    if (importBackup(deps, folder, found.manifest, { begun, now: clock() })) {
      logger.info({ crn: found.manifest.backupCrn, folder }, "backup found in storage");
    }
  } catch (error) {
    if (error instanceof StoreError) throw error;
    logger.warn({ code: "DRS-A012", err: error, folder }, "an archive in storage is not a usable backup");
  }
}

/**
 * Records a backup as its manifest describes it; false when it is known already, or was deleted since the search that
 * found it had begun.
 */
function importBackup(
  { store, onFound }: ImportDeps,
  folder: string,
  manifest: Manifest,
  { begun, now }: { readonly begun: Date; readonly now: Date },
): boolean {
  const { backupCrn: crn, state } = manifest;
  if (folder !== backupFolder(parseCrn(crn, "backup").uuid)) {
    throw new DrsError("DATA_LOSS", `the archive in ${folder} is not where that of ${crn} belongs`, { id: "DRS-A012" });
  }
  if (state !== "COMPLETED" && state !== "PARTIALLY_FAILED" && state !== "FAILED") {
    throw new DrsError("DATA_LOSS", `the manifest in ${folder} has the state ${JSON.stringify(state)}`, {
      id: "DRS-A012",
    });
  }
  return store.database.transaction(() => {
    if (store.jobs.get(crn) !== undefined || store.jobs.wasDeleted(crn, begun)) return false;
    const job = store.jobs.insert({
      crn,
      kind: "backup",
      name: manifest.backupJob,
      displayName: manifest.backupName,
      requestedName: "",
      backupCrn: crn,
      entity: manifest.entity,
      itemName: "",
      state,
      phase: "FINISHED",
      includedNamespaces: manifest.includedNamespaces,
      caller: { name: "", requestId: "" },
      parameters: null,
      origin: "caller",
      createdAt: new Date(manifest.createdTime),
      updatedAt: new Date(manifest.finishedTime),
    });
    for (const { level, namespace, text, time } of manifest.messages) {
      store.messages.add(job.seq, { level, namespace, text, time: new Date(time) });
    }
    store.logs.add(job.seq, { time: now, level: "info", phase: "FINISHED", text: `found in storage, in ${folder}` });
    onFound?.(job, manifest);
    return true;
  });
}
