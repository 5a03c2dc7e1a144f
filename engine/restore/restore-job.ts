import { safetyFolder } from "../archive/archive-paths.ts";
import { stopLiveMovers } from "../copy/movers/stop-live-movers.ts";
import { MissingCheckpointError } from "../jobs/checkpoint.ts";
import type { JobDeps } from "../jobs/deps.ts";
import type { JobContext, JobDefinition } from "../jobs/phase.ts";
import type { RestorePlan } from "../model.ts";
import { putApisBack } from "./objects/aggregated-apis.ts";
import { restoreClusterScoped } from "./objects/cluster-scoped.ts";
import { deleteClaims } from "./claims/deleting-claims.ts";
import { deleteObjects } from "./delete/deleting-objects.ts";
import { detachFromOwners } from "./claims/detaching.ts";
import { cleanUp } from "./fill/clean-up.ts";
import { discardFillers } from "./fill/discard-fillers.ts";
import { releaseHandedOver } from "./fill/hand-over.ts";
import { removeImported } from "./fill/imported-data.ts";
import { rollBack, whereAllLies } from "./rollback/roll-back.ts";
import { retainVolumes, retainedVolumes, releaseRetainedVolumes } from "./claims/retained-volumes.ts";
import { letCallsIn } from "./calls/letting-calls-in.ts";
import { restoreNamespaces } from "./objects/namespaces.ts";
import { enforcePodSecurity, forgetRelaxed, relaxPodSecurity } from "./objects/pod-security.ts";
import { OwnerLinks } from "./objects/owner-links.ts";
import { kindsForClaims } from "../kinds/restore-order.ts";
import { preValidation } from "./validate/pre-validation.ts";
import { begin, hasReached, reach, rolledBack } from "./source/restore-checkpoints.ts";
import type { RestoreSource } from "./source/restore-source.ts";
import { phasesOf } from "./plan/restore-phases.ts";
import { provenSource } from "./plan/restore-sources.ts";
import { restoreClaims, settleBoundClaims } from "./fill/restoring-claims.ts";
import { relaxLimits } from "./objects/restoring-limits.ts";
import { restoreFrom } from "./objects/restoring-objects.ts";
import { restoreSecrets } from "./objects/restoring-secrets.ts";
import { tellInadmissiblePods } from "./start/inadmissible-pods.ts";
import { startRestored } from "./start/starting-restored.ts";
import type { SavedIndex } from "./source/saved-index.ts";
import { stopApps } from "./stop/stopping-apps.ts";
import { toStorageVersions } from "./source/stored-versions.ts";
import { leftClaims } from "./claims/claims-without-data.ts";
import { removeWebhooks } from "./calls/webhooks.ts";

/**
 * A restore. Nothing is touched before PRE_VALIDATION has proven that everything can be restored and has saved everything that
 * will be replaced; replaced objects and volumes are kept until the end, and come back when the restore fails. `index` passes one phase's
 * knowledge of the archive to the next.
 */
export function restoreJob(deps: JobDeps, plan: RestorePlan, index: SavedIndex): JobDefinition {
  // Where it is not known how far the restore has come, no phase does more.
  const phase = phasesOf(deps, plan, index, (context) => void hasReached(context, "untouched"));
  return {
    phases: [
      phase("PRE_VALIDATION", async (source, context) => {
        await preValidation(source, deps, context, plan);
        begin(context);
      }),
      phase("STOPPING_APPS", async (source, context) => {
        reach(context, "touched");
        await stopLiveMovers(deps, context);
        await relaxPodSecurity(deps, context, source);
        await removeWebhooks(deps, context, source.scope.wholeNamespaces);
        const discovery = await deps.cluster.discover(context.signal);
        if (!hasReached(context, "stored")) await toStorageVersions(deps, context, source, discovery);
        reach(context, "stored");
        await retainVolumes(deps, context, source.scope);
        await detachFromOwners(
          deps,
          context,
          discovery,
          source.scope.wholeNamespaces,
          leftClaims(source),
          new OwnerLinks(context, source.notesPrefix),
        );
        await stopApps(deps, context, source.scope);
        await relaxLimits(deps, context, source.scope.wholeNamespaces);
      }),
      phase("DELETING_OBJECTS", async (source, context) => {
        const links = new OwnerLinks(context, source.notesPrefix);
        reach(context, "deleting");
        await removeWebhooks(deps, context, source.scope.wholeNamespaces);
        const discovery = await deps.cluster.discover(context.signal);
        await detachFromOwners(deps, context, discovery, source.scope.wholeNamespaces, leftClaims(source), links);
        await deleteObjects(source, deps, context, discovery);
      }),
      phase("DELETING_OBJECTS_PVC", async (source, context) => {
        await stopApps(deps, context, source.scope); // objects recreated by others
        await deleteClaims(deps, context, source.scope, leftClaims(source));
      }),
      phase("RESTORING_PVC", async (source, context) => {
        const links = new OwnerLinks(context, source.notesPrefix);
        await stopApps(deps, context, source.scope); // a pod may wait for a claim of a known name
        await restoreNamespaces(deps, context, source);
        await restoreClusterScoped(deps, context, source, links, kindsForClaims);
        await restoreSecrets(source, deps, context, links);
        await restoreClaims(deps, context, source, links);
      }),
      phase("RESTORING_OBJECTS", async (source, context) => {
        await removeWebhooks(deps, context, source.scope.wholeNamespaces);
        await relaxLimits(deps, context, source.scope.wholeNamespaces); // which others may have put in force again
        await restoreFrom(source, deps, context);
      }),
      phase("STARTING_APPS", async (source, context) => {
        await relaxPodSecurity(deps, context, source); // others may have put a label in force since
        await startRestored(source, deps, context);
      }),
    ],
    async finish(context) {
      index.clear();
      const source = await provenSource(deps, context, plan);
      reach(context, "restored");
      await settleBoundClaims(deps, context, source);
      const isWhole = () => !context.messages().some(({ level }) => level === "error");
      if (isWhole()) await releaseRetainedVolumes(deps, context, leftClaims(source));
      await letOthersJudge(source, deps, context);
      if (!isWhole()) {
        context.error(
          "DRS-R005",
          "",
          `not everything was restored. ${whereAllLies(deps, context, "Freeing what a restore has replaced")}`,
        );
        return;
      }
      await deleteSafetyArchive(deps, context);
    },
    async fail(context) {
      index.clear();
      if (!isKnown(context)) {
        await putApisBack(deps, context);
        context.error(
          "DRS-R055",
          "",
          `the record of the restore's progress is missing, so nothing is undone: report it. ${whereAllLies(deps, context)}`,
        );
        return;
      }
      if (hasReached(context, "restored")) {
        const volumes = retainedVolumes(context).map(({ persistentVolume }) => persistentVolume);
        const left =
          volumes.length > 0
            ? `some replaced volumes could not be removed: ${volumes.join(", ")}`
            : "the clean-up failed";
        context.error(volumes.length > 0 ? "DRS-R007" : "DRS-R008", "", `everything was restored, but ${left}`);
        await letOthersJudge(await provenSource(deps, context, plan), deps, context);
        return;
      }
      const isTouched = hasReached(context, "touched");
      if (isTouched && !deps.restore.rollBack) {
        await putApisBack(deps, context); // they were gone before the safety archive was made
        await cleanUp(
          context.error,
          () => releaseHandedOver(deps, context),
          () => discardFillers(deps, context),
        );
        context.error("DRS-R006", "", `rollback is turned off. ${whereAllLies(deps, context)}`);
        return;
      }
      if (!isTouched) {
        context.info("nothing in the namespaces was touched", "DRS-R001");
        await putApisBack(deps, context);
        await cleanUp(
          context.error,
          () => discardFillers(deps, context),
          () => removeImported(deps, context),
          () => deleteSafetyArchive(deps, context),
        );
      } else if (await rollBack(deps, context)) await deleteSafetyArchive(deps, context);
    },
    needsRollback,
    abandoned: (context, why) =>
      needsRollback(context)
        ? { id: "DRS-R006", text: `the rollback failed, too: ${why}. ${whereAllLies(deps, context)}` }
        : undefined,
  };
}

/** Puts Pod Security, webhooks and policies in force, which could refuse restored objects: nothing is left to be created. */
async function letOthersJudge(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<void> {
  const enforced = await enforcePodSecurity(source, deps, context);
  await letCallsIn(source, deps, context);
  await tellInadmissiblePods(deps, context, enforced);
  forgetRelaxed(context);
}

/** Whether neither the former nor the saved control plane is there whole. */
function needsRollback(context: JobContext): boolean {
  if (!isKnown(context)) return false; // nothing is undone then
  return hasReached(context, "touched") && !hasReached(context, "restored") && rolledBack.find(context) === undefined;
}

/** Whether it is noted how far the restore has come. */
function isKnown(context: JobContext): boolean {
  try {
    hasReached(context, "touched");
    return true;
  } catch (error) {
    if (error instanceof MissingCheckpointError) return false;
    throw error;
  }
}

async function deleteSafetyArchive({ archives }: JobDeps, { job, signal }: JobContext): Promise<void> {
  await archives.writer(safetyFolder(job.uuid)).delete(signal);
}
