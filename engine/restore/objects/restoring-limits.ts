import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { resourceName } from "../../kubernetes/kubernetes-object.ts";
import { restoreObjects } from "./namespaced-objects.ts";
import type { NamespacedRestore } from "./restore-object.ts";
import { refusalOf } from "./object-restorer.ts";
import { limitKinds } from "../../kinds/restore-order.ts";
import { partsOf } from "../source/restore-source.ts";
import { rulesOf } from "../../kinds/kinds.ts";

/**
 * Takes quotas out of force, and limit ranges except their defaults: they would stop the restore of objects older than they
 * are. They stay where they are, so that nothing of them is lost, and `restoreLimits` puts them in force again. One that the
 * cluster does not let be changed is reported, and left. May run again.
 */
export async function relaxLimits(
  { cluster, limits }: Pick<JobDeps, "cluster" | "limits">,
  { signal, info }: JobContext,
  namespaces: readonly string[],
): Promise<void> {
  const { resources } = await cluster.discover(signal);
  const types = resources.filter((type) => limitKinds.includes(resourceName(type)));
  for (const namespace of namespaces) {
    for (const type of types)
      await forEachInFlight(cluster.list(type, namespace, signal), limits.clusterConcurrency, async (object) => {
        const { name } = object.metadata;
        const spec = rulesOf(type).relaxed?.(object);
        try {
          if (spec) await cluster.patch(type, namespace, name, { spec }, signal);
        } catch (error) {
          info(`${type.kind} ${namespace}/${name} stays in force while the restore runs: ${refusalOf(error)}`);
        }
      });
  }
}

/** Puts quotas and limit ranges in force, when all is up. May run again. */
export async function restoreLimits(restore: NamespacedRestore): Promise<void> {
  await restoreObjects(restore, partsOf(restore.source, limitKinds), { started: true });
}
