import type { JobContext } from "../../jobs/phase.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import type { KubernetesObject, ObjectMeta, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { nameOf } from "../../objects/object-names.ts";

/** Values that cannot come back with an object, as the cluster assigns them. */
export interface Loss {
  readonly type: ResourceType;
  readonly metadata: Pick<ObjectMeta, "namespace" | "name" | "uid">;
  readonly loss: string;
}

/**
 * Reports, before anything is touched, what cannot come back with an object that must be recreated:
 * tokens, addresses of load balancers, the progress of a job. One that still exists keeps it all.
 */
export async function reportNotAsSaved(
  cluster: Cluster,
  { signal, info }: Pick<JobContext, "signal" | "info">,
  { type, metadata: { namespace = "", name, uid }, loss }: Loss,
): Promise<void> {
  const live = await cluster.get(type, namespace, name, signal);
  if (live?.metadata.uid !== uid) info(`${nameOf(namespace, type, name)} is recreated: ${loss}`);
}

/** How a recreated object differs from the saved one; undefined when it does not. */
export function lossOf(type: ResourceType, saved: KubernetesObject): string | undefined {
  return rulesOf(type).loss?.(saved);
}
