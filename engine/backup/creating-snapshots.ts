import type { JobContext, Phase } from "../jobs/phase.ts";
import { csiSnapshots } from "../volumes/csi-snapshots.ts";
import type { SaveRequest } from "../volumes/volume-data.ts";
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
      const request = saveRequest(parts, context);
      if (request.claims.length > 0 && cutSnapshots.find(context) === undefined) {
        await resumeApplications(parts, context);
        await csiSnapshots.discardBegun(context, request);
        await quiesceApplications(parts, context, validated.read(context).namespaces);
        await csiSnapshots.begin(context, request);
        cutSnapshots.write(context, { areCut: true });
      }
      await resumeApplications(parts, context);
      await csiSnapshots.untilUsable(context, request);
      context.info(`snapshots ready: ${request.claims.length}`);
    },
  };
}

/** What a backup saves of volumes. */
export function saveRequest({ cluster, limits }: BackupParts, context: JobContext): SaveRequest {
  return {
    cluster,
    claims: validated.read(context).claims,
    timeoutMs: limits.snapshotTimeout,
    inFlight: limits.clusterConcurrency,
  };
}
