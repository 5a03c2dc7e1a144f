import type { JobParts } from "../jobs/parts.ts";
import type { Phase } from "../jobs/phase.ts";
import type { SnapshotableClaim } from "../volumes/claims.ts";
import { takeSnapshots, unfinishedClaims } from "../volumes/take-snapshots.ts";
import { backupNotes } from "./backup-notes.ts";
import { quiesceApplications, resumeApplications } from "./hooks.ts";

/** Quiesces what asks for it, takes every volume's snapshot in one burst, and lets the applications go on. */
export function creatingSnapshots(parts: JobParts): Phase {
  return {
    name: "CREATING_SNAPSHOTS",
    async run(context) {
      const claims = context.notes.get<SnapshotableClaim[]>(backupNotes.claims) ?? [];
      if (unfinishedClaims(context, claims).length > 0)
        await quiesceApplications(parts, context, context.notes.get<string[]>(backupNotes.namespaces) ?? []);
      await takeSnapshots(context, {
        cluster: parts.cluster,
        claims,
        timeoutMs: parts.limits.snapshotTimeout,
        inFlight: parts.limits.clusterConcurrency,
        onCut: () => resumeApplications(parts, context),
      });
    },
  };
}
