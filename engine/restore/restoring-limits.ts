import type { JobContext } from "../jobs/phase.ts";
import { restoreFieldOwners } from "./field-owners.ts";
import { type NamespacedRestore, restoreObjects } from "./namespaced-objects.ts";
import { refusalOf } from "./object-restorer.ts";
import { tellGivenUp } from "./refused-objects.ts";
import { quotas } from "./restore-order.ts";
import { objectsOf, partsOf } from "./restore-source.ts";

/**
 * Puts quotas in force, and limit ranges, of which only the defaults were until now: they would have stopped the restore of
 * what is older than they are. One that the cluster refuses is an error that names it.
 */
export async function restoreLimits(restore: NamespacedRestore, context: JobContext): Promise<void> {
  const { signal } = context;
  const { parts, source } = restore;
  await restoreObjects(restore, partsOf(source, quotas));
  for await (const { type, object } of objectsOf(source, partsOf(source, ["limitranges"]), signal)) {
    const { namespace = "", name } = object.metadata;
    try {
      await parts.cluster.patch(type, namespace, name, { spec: object["spec"] }, signal);
      await restoreFieldOwners(parts.cluster, type, object, signal);
    } catch (error) {
      const text = `has no more than its defaults: ${refusalOf(error)}`;
      tellGivenUp(context, source, { namespace, what: `${type.kind} ${name}`, text });
    }
  }
}
