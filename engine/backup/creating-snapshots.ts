import type { JobContext, Phase } from "../jobs/phase.ts";
import { csiSnapshots } from "../volumes/snapshots/csi-snapshots.ts";
import type { SaveRequest } from "../volumes/volume-data.ts";
import { cutSnapshots, validated } from "./backup-checkpoints.ts";
import type { BackupDeps } from "./backup-deps.ts";
import { quiesceApplications, resumeApplications } from "./hooks.ts";

/**
 * Quiesces the applications that ask for it, takes every volume's snapshot in one burst, and resumes the applications. Until
 * all are cut a run starts over, as snapshots from before and after a pause are of different moments; from then on none is taken.
 */
export function creatingSnapshots(deps: BackupDeps): Phase {
  return {
    name: "CREATING_SNAPSHOTS",
    async run(context) {
      const request = saveRequest(deps, context);
      if (request.claims.length > 0 && cutSnapshots.find(context) === undefined) {
        await resumeApplications(deps, context);
        await csiSnapshots.discardBegun(context, request);
        await quiesceApplications(deps, context, validated.read(context).namespaces);
        await csiSnapshots.begin(context, request);
        cutSnapshots.write(context, { areCut: true });
      }
      await resumeApplications(deps, context);
      await csiSnapshots.untilUsable(context, request);
      context.info(`snapshots ready: ${request.claims.length}`);
    },
  };
}

/** The request of a backup to save volumes. */
export function saveRequest({ cluster, limits }: BackupDeps, context: JobContext): SaveRequest {
  return {
    cluster,
    claims: validated.read(context).claims,
    timeoutMs: limits.snapshotTimeout,
    inFlight: limits.clusterConcurrency,
  };
}
