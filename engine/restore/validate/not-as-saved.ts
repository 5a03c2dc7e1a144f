import type { JobContext } from "../../jobs/phase.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import type { KubernetesObject, ObjectMeta, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { nameOf } from "../../objects/object-names.ts";

/** What cannot come back with an object, as the cluster gives it out. */
export interface Loss {
  readonly type: ResourceType;
  readonly metadata: Pick<ObjectMeta, "namespace" | "name" | "uid">;
  readonly loss: string;
}

/**
 * Tells, before anything is touched, of an object that has to be made again what cannot come back with it:
 * tokens, addresses of load balancers, how far a job had come. One that is there still keeps it all.
 */
export async function reportNotAsSaved(
  cluster: Cluster,
  { signal, info }: Pick<JobContext, "signal" | "info">,
  { type, metadata: { namespace = "", name, uid }, loss }: Loss,
): Promise<void> {
  const live = await cluster.get(type, namespace, name, signal);
  if (live?.metadata.uid !== uid) info(`${nameOf(namespace, type, name)} is made again: ${loss}`);
}

/** What an object that is made again has otherwise than it was saved; undefined when nothing. */
export function lossOf(type: ResourceType, saved: KubernetesObject): string | undefined {
  return rulesOf(type).loss?.(saved);
}
