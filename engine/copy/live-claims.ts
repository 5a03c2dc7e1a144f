import type { Cluster } from "../kubernetes/cluster.ts";
import { persistentVolumeClaims, persistentVolumes, pods } from "../kubernetes/built-in-kinds.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { classOf } from "../kinds/core/claim-class.ts";
import { isBound, volumeOf } from "../volumes/bound-claims.ts";
import type { LiveVolume } from "./live-volumes.ts";

/**
 * How a saved claim's volume is read while applications may use it, or the reason why it is not: the claim and its volume have to be
 * those of the backup still, or another's data would be copied for its own.
 */
export async function liveVolumeOf(
  cluster: Cluster,
  { namespace, claim }: Pick<LiveVolume, "namespace" | "claim">,
  saved: KubernetesObject,
  signal: AbortSignal,
): Promise<LiveVolume | { readonly reason: string }> {
  const { namespace: home = "", name, uid } = saved.metadata;
  const now = await cluster.get(persistentVolumeClaims, home, name, signal);
  if (now === undefined || now.metadata.uid !== uid || !isBound(now) || volumeOf(now) !== volumeOf(saved))
    return { reason: "its claim is gone, or another one, since the backup" };
  const persistentVolume = await cluster.get(persistentVolumes, "", volumeOf(now), signal);
  if (persistentVolume === undefined) return { reason: `its volume ${volumeOf(now)} does not exist` };
  const live = { namespace, claim, saved, persistentVolume, storageClass: classOf(now) };
  if (isForManyNodes(persistentVolume)) return live;
  const [node, ...others] = await nodesUsing(cluster, { namespace: home, name }, signal);
  if (node !== undefined && isForOnePod(persistentVolume))
    return { reason: "a pod uses it, and no other one can at the same time (ReadWriteOncePod)" };
  return node === undefined || others.length > 0 ? live : { ...live, node };
}

/**
 * Why a mover on a node must go because of the pods that use the volume, as one of them cannot start otherwise; undefined when
 * none of them minds it.
 */
export async function whoIsKept(
  cluster: Cluster,
  { saved, persistentVolume }: LiveVolume,
  node: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (isForManyNodes(persistentVolume)) return undefined;
  const { namespace = "", name } = saved.metadata;
  const nodes = await nodesUsing(cluster, { namespace, name }, signal);
  if (isForOnePod(persistentVolume)) return nodes.length > 0 ? "a pod needs it for itself now" : undefined;
  const [other] = nodes;
  return nodes.length === 1 && other !== node ? `a pod needs it on another node now, ${other}` : undefined;
}

/** The nodes with pods that use a claim, or are about to. */
async function nodesUsing(
  cluster: Cluster,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const nodes = new Set<string>();
  for await (const pod of cluster.list(pods, namespace, signal)) {
    const { nodeName, volumes = [] } = (pod["spec"] ?? {}) as PodSpec;
    const { phase } = (pod["status"] ?? {}) as { phase?: string };
    const uses = volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === name);
    if (uses && nodeName !== undefined && phase !== "Succeeded" && phase !== "Failed") nodes.add(nodeName);
  }
  return [...nodes].sort();
}

interface PodSpec {
  readonly nodeName?: string;
  readonly volumes?: readonly { readonly persistentVolumeClaim?: { readonly claimName?: string } }[];
}

function modesOf(volume: KubernetesObject): readonly string[] {
  return (volume["spec"] as { accessModes?: readonly string[] }).accessModes ?? [];
}

function isForManyNodes(volume: KubernetesObject): boolean {
  const modes = modesOf(volume);
  return modes.includes("ReadWriteMany") || modes.every((mode) => mode === "ReadOnlyMany");
}

function isForOnePod(volume: KubernetesObject): boolean {
  return modesOf(volume).includes("ReadWriteOncePod");
}
