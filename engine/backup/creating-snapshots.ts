import type { JobContext, Phase } from "../jobs/phase.ts";
import { requiredNote } from "../jobs/required-note.ts";
import type { SnapshotableClaim } from "../volumes/claims.ts";
import { awaitSnapshots, cutSnapshots, discardBegun, type SnapshotRequest } from "../volumes/take-snapshots.ts";
import { backupNotes } from "./backup-notes.ts";
import type { BackupParts } from "./backup-parts.ts";
import { quiesceApplications, resumeApplications } from "./hooks.ts";

/**
 * Quiesces what asks for it, takes every volume's snapshot in one burst, and lets the applications go on. Until every one is
 * cut a run begins anew, as snapshots from before and after a pause are of different moments; from then on none is taken.
 */
export function creatingSnapshots(parts: BackupParts): Phase {
  return {
    name: "CREATING_SNAPSHOTS",
    async run(context) {
      const { notes } = context;
      const request = snapshotRequest(parts, context);
      if (request.claims.length > 0 && notes.get(backupNotes.cut) !== true) {
        await resumeApplications(parts, context);
        await discardBegun(context, request);
        await quiesceApplications(parts, context, requiredNote<string[]>(notes, backupNotes.namespaces));
        await cutSnapshots(context, request);
        notes.set(backupNotes.cut, true);
      }
      await resumeApplications(parts, context);
      await awaitSnapshots(context, request);
      context.info(`snapshots ready: ${request.claims.length}`);
    },
  };
}

/** The snapshots that a backup takes. */
export function snapshotRequest({ cluster, limits }: BackupParts, { notes }: JobContext): SnapshotRequest {
  return {
    cluster,
    claims: requiredNote<SnapshotableClaim[]>(notes, backupNotes.claims),
    timeoutMs: limits.snapshotTimeout,
    inFlight: limits.clusterConcurrency,
  };
}
