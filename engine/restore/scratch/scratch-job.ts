import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext, JobDefinition } from "../../jobs/phase.ts";
import { failureOf, throwAll } from "../../kubernetes/attempts.ts";
import type { RestorePlan } from "../../model.ts";
import { enforcePodSecurity } from "../objects/pod-security.ts";
import { OwnerLinks } from "../objects/owner-links.ts";
import { phasesOf } from "../plan/restore-phases.ts";
import { provenSource } from "../plan/restore-sources.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import { discardFillers } from "../fill/discard-fillers.ts";
import { removeImported } from "../fill/imported-data.ts";
import { restoreClaims, settleBoundClaims } from "../fill/restoring-claims.ts";
import { restoreFrom } from "../objects/restoring-objects.ts";
import { restoreSecrets } from "../objects/restoring-secrets.ts";
import type { SavedIndex } from "../source/saved-index.ts";
import { tellInadmissiblePods } from "../start/inadmissible-pods.ts";
import { startRestored } from "../start/starting-restored.ts";
import { fillFromCopies } from "./filling-from-copies.ts";
import { removeScratch } from "./removing-scratch.ts";
import { makeNamespaces } from "./scratch-namespaces.ts";
import { validateScratch } from "./validating-scratch.ts";
import { nothing } from "./nothing.ts";

/** Noted before the first namespace is made: from then on a failure has to be undone. */
const begunNote = "scratch/begun";
/** Noted when all is made: it stays until somebody has it removed. */
const madeNote = "scratch/made";
const removedNote = "scratch/removed";

/**
 * A restore into namespaces of its own, beside what it is a copy of. It creates there, and nowhere else: nothing is stopped,
 * replaced or deleted, and no cluster-scoped object made but the namespaces, the volumes that are provisioned for its claims,
 * and, meanwhile, the objects of their snapshots, and what brings data from copies in the namespace of movers. A failure removes all of it.
 */
export function scratchJob(deps: JobDeps, plan: RestorePlan, index: SavedIndex): JobDefinition {
  const phase = phasesOf(deps, plan, index);
  return {
    phases: [
      phase("PRE_VALIDATION", (source, context) => validateScratch(source, deps, context, plan)),
      nothing("STOPPING_APPS"),
      nothing("DELETING_OBJECTS"),
      nothing("DELETING_OBJECTS_PVC"),
      phase("RESTORING_PVC", async (source, context) => {
        const links = new OwnerLinks(context, source.notesPrefix);
        context.notes.set(begunNote, true);
        await makeNamespaces(source, deps, context);
        await restoreSecrets(source, deps, context, links);
        await fillFromCopies(source, deps, context);
        await restoreClaims(deps, context, source, links);
      }),
      phase("RESTORING_OBJECTS", (source, context) => restoreFrom(source, deps, context)),
      phase("STARTING_APPS", (source, context) => startRestored(source, deps, context)),
    ],
    async finish(context) {
      index.clear();
      const source = await provenSource(deps, context, plan);
      context.notes.set(madeNote, true);
      await settleBoundClaims(deps, context, source);
      await enforceLevels(source, deps, context);
      context.info(`created ${source.targetNamespaces.join(", ")}, which stay until they are removed`);
    },
    async fail(context) {
      index.clear();
      if (context.notes.get(madeNote) === true) {
        context.error("DRS-R027", "", "the scratch restore is complete, but the clean-up after it failed");
        await enforceLevels(await provenSource(deps, context, plan), deps, context);
        return;
      }
      if (context.notes.get(begunNote) !== true) {
        await removeImported(deps, context);
        context.info("nothing was created");
        return;
      }
      const held = [
        ...(await failureOf(() => discardFillers(deps, context))),
        ...(await failureOf(() => removeImported(deps, context))),
      ];
      const targets = Object.values(plan.mapping);
      await removeScratch(deps, context, { uuid: context.job.uuid, namespaces: targets });
      throwAll(held);
      context.notes.set(removedNote, true);
      context.error(
        "DRS-R028",
        "",
        `the scratch restore failed, and its objects in ${targets.join(", ")} were removed`,
      );
    },
    needsRollback,
    abandoned: (context, why) =>
      needsRollback(context)
        ? {
            id: "DRS-R026",
            text: `not everything that the scratch restore created was removed: ${why}; remove ${Object.values(plan.mapping).join(", ")} when that is fixed`,
          }
        : undefined,
  };
}

/** Puts the namespaces' own Pod Security levels in force, as their pods run. */
async function enforceLevels(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<void> {
  await tellInadmissiblePods(deps, context, await enforcePodSecurity(source, deps, context));
}

function needsRollback({ notes }: JobContext): boolean {
  return notes.get(begunNote) === true && notes.get(madeNote) !== true && notes.get(removedNote) !== true;
}
