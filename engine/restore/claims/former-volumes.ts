import { setTimeout as sleep } from "node:timers/promises";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumes } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { retainedVolumes, ownMarks, ownPolicy } from "./retained-volumes.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";
import { safetySource } from "../plan/restore-sources.ts";
import { sanitize } from "../../kinds/sanitize.ts";
import { volumeOf } from "../../volumes/bound-claims.ts";

interface VolumeSpec {
  readonly claimRef?: { readonly namespace?: string; readonly name?: string; readonly uid?: string };
}

/** The volume that a claim had when this restore began, as it is, or, if it has gone since, as it was. */
export async function retainedVolumeOf(
  deps: JobDeps,
  context: JobContext,
  namespace: string,
  claim: string,
): Promise<KubernetesObject | undefined> {
  const retained = retainedVolumes(context).filter(
    (volume) => volume.namespace === namespace && volume.claim === claim,
  );
  const [first] = retained;
  if (!first) return undefined;
  // A claim that somebody has made since under the same name had another one.
  const former = retained.length > 1 ? await formerVolumeName(deps, context, namespace, claim) : "";
  return retainedVolume(deps, context, former === "" ? first.persistentVolume : former);
}

/** A retained volume as it is, or, if it has gone since, as it was. */
export async function retainedVolume(
  deps: JobDeps,
  context: JobContext,
  name: string,
): Promise<KubernetesObject | undefined> {
  const live = await whenNotGoing(deps, name, context.signal);
  return live ?? archivedVolume(await safetySource(deps, context), name, context.signal);
}

async function formerVolumeName(deps: JobDeps, context: JobContext, namespace: string, claim: string) {
  const source = await safetySource(deps, context);
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumeclaims"]), context.signal))
    if (object.metadata.namespace === namespace && object.metadata.name === claim) return volumeOf(object);
  return "";
}

const pauseMs = 100;

/**
 * A volume; undefined when it is gone. One that somebody has deleted goes as soon as its claim has, and is waited for: what it
 * stands for stays in the storage, as it is kept by `Retain`.
 * https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
 */
async function whenNotGoing(
  { cluster, limits }: JobDeps,
  name: string,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  const limit = Date.now() + limits.podsStopTimeout;
  for (;;) {
    const volume = await cluster.get(persistentVolumes, "", name, signal);
    if (volume?.metadata.deletionTimestamp === undefined || Date.now() >= limit) return volume;
    await sleep(pauseMs, undefined, { signal });
  }
}

/** The volume of this name in an archive. */
export async function archivedVolume(
  source: RestoreSource,
  name: string,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  if (name === "") return undefined;
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumes"]), signal))
    if (object.metadata.name === name) return object;
  return undefined;
}

/** The volume of this name, if it is of a claim of this name that has gone, and has kept its data. */
export async function releasedVolume(
  cluster: Cluster,
  name: string,
  namespace: string,
  claim: string,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  const volume = name === "" ? undefined : await cluster.get(persistentVolumes, "", name, signal);
  if (!volume) return undefined;
  const { claimRef } = volume["spec"] as VolumeSpec;
  const { phase } = (volume["status"] ?? {}) as { phase?: string };
  const isItsOwn = claimRef?.namespace === namespace && claimRef.name === claim && phase === "Released";
  return isItsOwn && volume.metadata.deletionTimestamp === undefined ? volume : undefined;
}

/** Makes a volume free for a claim of this name alone, and makes it again if it is not there. */
export async function freeVolume(
  cluster: Cluster,
  volume: KubernetesObject,
  namespace: string,
  claim: string,
  signal: AbortSignal,
): Promise<void> {
  const { name } = volume.metadata;
  await cluster.createOnce(persistentVolumes, "", forClaim(volume, namespace, claim), signal);
  // One that is still there remembers its old claim's uid, and would wait for that one.
  const existing = await cluster.get(persistentVolumes, "", name, signal);
  const { claimRef } = (existing?.["spec"] ?? {}) as VolumeSpec;
  if (claimRef?.namespace !== namespace || claimRef.name !== claim || claimRef.uid === undefined) return;
  const free = { spec: { claimRef: { uid: null, resourceVersion: null } } };
  await cluster.patch(persistentVolumes, "", name, free, signal);
}

/** https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reserving-a-persistentvolume */
function forClaim(volume: KubernetesObject, namespace: string, claim: string): KubernetesObject {
  const copy = sanitize(persistentVolumes, volume);
  copy.metadata.labels = ownMarks(copy.metadata.labels);
  copy.metadata.annotations = ownMarks(copy.metadata.annotations);
  copy["spec"] = {
    ...(copy["spec"] as object),
    persistentVolumeReclaimPolicy: ownPolicy(volume),
    claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: claim },
  };
  return copy;
}

/** Whether a volume was made by a driver for its claim, and is gone with it. */
export function isProvisioned({ metadata }: KubernetesObject): boolean {
  return metadata.annotations?.["pv.kubernetes.io/provisioned-by"] !== undefined;
}
