import { uuidOf } from "../../crn.ts";
import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobDefinition } from "../../jobs/phase.ts";
import { checkRights } from "../../kubernetes/rights.ts";
import type { RestorePlan } from "../../model.ts";
import { scratchRights } from "../../objects/rights-needed.ts";
import { nothing } from "./nothing.ts";
import { removeScratch } from "./removing-scratch.ts";

/** Removes what a scratch restore has made. It needs no archive: the backup may be gone. */
export function scratchRemovalJob(deps: JobDeps, { mapping, scratchCrn }: RestorePlan): JobDefinition {
  const namespaces = Object.values(mapping);
  return {
    phases: [
      {
        name: "PRE_VALIDATION",
        async run(context) {
          const { cluster, limits } = deps;
          context.setIncludedNamespaces(namespaces);
          const discovery = await cluster.discover(context.signal);
          const rights = scratchRights({ ...discovery, saved: [], namespaces, statusOf: [] });
          await checkRights(cluster, "removing a scratch restore", rights, limits.clusterConcurrency, context.signal);
          await context.claimControlPlane();
        },
      },
      nothing("STOPPING_APPS"),
      {
        name: "DELETING_OBJECTS",
        async run(context) {
          if (scratchCrn === undefined)
            throw new DrsError("INTERNAL", "the job does not say whose scratch namespaces it removes");
          await removeScratch(deps, context, { uuid: uuidOf(scratchCrn), namespaces });
        },
      },
      nothing("DELETING_OBJECTS_PVC"),
      nothing("RESTORING_PVC"),
      nothing("RESTORING_OBJECTS"),
      nothing("STARTING_APPS"),
    ],
    async finish() {},
    async fail() {},
  };
}
