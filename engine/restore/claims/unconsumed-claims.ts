import { persistentVolumeClaims, pods, storageClasses } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { classOf } from "../../kinds/core/claim-class.ts";

interface PodSpec {
  volumes?: { persistentVolumeClaim?: { claimName: string } }[];
}

/**
 * The claims of a namespace that bind when a pod first uses them, and that none uses now: a cron job's, or those of an
 * application without replicas. To wait for them would be in vain; `bindUnconsumedClaims` sees to those that have data.
 */
export async function unconsumedClaims(
  cluster: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const used = await claimsInUse(cluster, namespace, signal);
  const late = new Set<string>();
  for await (const { metadata, ...storageClass } of cluster.list(storageClasses, "", signal))
    if (storageClass["volumeBindingMode"] === "WaitForFirstConsumer") late.add(metadata.name);
  const unconsumed = new Set<string>();
  for await (const claim of cluster.list(persistentVolumeClaims, namespace, signal)) {
    const { name } = claim.metadata;
    const { phase } = (claim["status"] ?? {}) as { phase?: string };
    if (phase === "Pending" && late.has(classOf(claim)) && !used.has(name)) unconsumed.add(name);
  }
  return unconsumed;
}

/** The claims of a namespace that its pods name. */
export async function claimsInUse(
  cluster: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const used = new Set<string>();
  for await (const pod of cluster.list(pods, namespace, signal))
    for (const { persistentVolumeClaim } of (pod["spec"] as PodSpec).volumes ?? [])
      if (persistentVolumeClaim) used.add(persistentVolumeClaim.claimName);
  return used;
}
