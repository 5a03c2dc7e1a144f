import type { JobParts } from "../jobs/parts.ts";
import type { JobContext, Phase } from "../jobs/phase.ts";
import type { SnapshotableClaim } from "../volumes/claims.ts";
import { type SnapshotRequest, takeSnapshots } from "../volumes/take-snapshots.ts";
import { backupNotes } from "./backup-notes.ts";
import { quiesceApplications, resumeApplications } from "./hooks.ts";

/** Quiesces what asks for it, takes every volume's snapshot in one burst, and lets the applications go on. */
export function creatingSnapshots(parts: JobParts): Phase {
  return {
    name: "CREATING_SNAPSHOTS",
    async run(context) {
      const { notes } = context;
      const request = snapshotRequest(parts, context);
      if (request.claims.length > 0 && notes.get(backupNotes.cut) !== true)
        await quiesceApplications(parts, context, notes.get<string[]>(backupNotes.namespaces) ?? []);
      await takeSnapshots(context, request, async () => {
        notes.set(backupNotes.cut, true);
        await resumeApplications(parts, context);
      });
    },
  };
}

/** The snapshots that a backup takes. */
export function snapshotRequest({ cluster, limits }: JobParts, { notes }: JobContext): SnapshotRequest {
  return {
    cluster,
    claims: notes.get<SnapshotableClaim[]>(backupNotes.claims) ?? [],
    timeoutMs: limits.snapshotTimeout,
    inFlight: limits.clusterConcurrency,
  };
}
