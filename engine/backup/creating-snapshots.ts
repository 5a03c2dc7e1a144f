import type { JobContext, Phase } from "../jobs/phase.ts";
import { awaitSnapshots, discardBegun, type SnapshotRequest, takeSnapshots } from "../volumes/take-snapshots.ts";
import { cutSnapshots, validated } from "./backup-checkpoints.ts";
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
      const request = snapshotRequest(parts, context);
      if (request.claims.length > 0 && cutSnapshots.find(context) === undefined) {
        await resumeApplications(parts, context);
        await discardBegun(context, request);
        await quiesceApplications(parts, context, validated.read(context).namespaces);
        await takeSnapshots(context, request);
        cutSnapshots.write(context, { areCut: true });
      }
      await resumeApplications(parts, context);
      await awaitSnapshots(context, request);
      context.info(`snapshots ready: ${request.claims.length}`);
    },
  };
}

/** The snapshots that a backup takes. */
export function snapshotRequest({ cluster, limits }: BackupParts, context: JobContext): SnapshotRequest {
  return {
    cluster,
    claims: validated.read(context).claims,
    timeoutMs: limits.snapshotTimeout,
    inFlight: limits.clusterConcurrency,
  };
}
