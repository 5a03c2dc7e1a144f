import type { JobContext } from "../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { restoreFieldOwners } from "./field-owners.ts";
import { keptVolumes } from "./kept-volumes.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";
import { sanitize } from "./sanitize.ts";

/**
 * A claim whose data is not in the backup. One that exists is left as it is. Else it is made again: on its old volume when
 * that has its data still, as a static one does, such as a network share, or one that was taken from it while this restore
 * runs, and kept; empty otherwise, with a warning.
 */
export async function createClaimWithoutSnapshot(
  cluster: Cluster,
  context: JobContext,
  source: RestoreSource,
  archived: KubernetesObject,
  claim: KubernetesObject,
): Promise<void> {
  const { signal } = context;
  const { namespace = "", name } = claim.metadata;
  if (await cluster.get(persistentVolumeClaims, namespace, name, signal)) return;
  const { volumeName: formerName = "" } = archived["spec"] as { volumeName?: string };
  const volume =
    (await keptVolume(cluster, context, namespace, name)) ?? (await staticVolume(source, formerName, signal));
  if (volume) {
    const volumeName = volume.metadata.name;
    await cluster.createOnce(persistentVolumes, "", forClaim(volume, namespace, name), signal);
    await freeFor(cluster, volumeName, namespace, name, signal);
    claim = { ...claim, spec: { ...(claim["spec"] as object), volumeName } };
    context.warn(namespace, `claim ${name} is on its volume ${volumeName} again, whose data is not in the backup`);
  } else if (formerName !== "") context.warn(namespace, `claim ${name} is empty: its data is not in the backup`);
  await cluster.createOnce(persistentVolumeClaims, namespace, claim, signal);
  await restoreFieldOwners(cluster, persistentVolumeClaims, archived, signal);
}

/** The volume that a claim had when this restore began, if that is there. */
async function keptVolume(
  cluster: Cluster,
  context: JobContext,
  namespace: string,
  name: string,
): Promise<KubernetesObject | undefined> {
  const kept = keptVolumes(context).find((volume) => volume.namespace === namespace && volume.claim === name);
  return kept && cluster.get(persistentVolumes, "", kept.persistentVolume, context.signal);
}

/** The archived volume of this name, if no driver made it. */
async function staticVolume(
  source: RestoreSource,
  name: string,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  if (name === "") return undefined;
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumes"]), signal))
    if (object.metadata.name === name) return isProvisioned(object) ? undefined : object;
  return undefined;
}

/** Whether a volume was made by a driver for its claim, and is gone with it. */
export function isProvisioned({ metadata }: KubernetesObject): boolean {
  return metadata.annotations?.["pv.kubernetes.io/provisioned-by"] !== undefined;
}

/** https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reserving-a-persistentvolume */
function forClaim(volume: KubernetesObject, namespace: string, name: string): KubernetesObject {
  const copy = sanitize(persistentVolumes, volume);
  copy["spec"] = {
    ...(copy["spec"] as object),
    claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name },
  };
  return copy;
}

/** A volume that is still there remembers its old claim's uid, and would wait for that one. */
async function freeFor(cluster: Cluster, volume: string, namespace: string, name: string, signal: AbortSignal) {
  const existing = await cluster.get(persistentVolumes, "", volume, signal);
  const { claimRef = {} } = (existing?.["spec"] ?? {}) as {
    claimRef?: { namespace?: string; name?: string; uid?: string };
  };
  if (claimRef.namespace !== namespace || claimRef.name !== name || claimRef.uid === undefined) return;
  const free = { spec: { claimRef: { uid: null, resourceVersion: null } } };
  await cluster.patch(persistentVolumes, "", volume, free, signal);
}

/** The saved claims whose data is not in the backup, as `namespace/name`: where they exist they are left alone. */
export async function unsavedClaims(source: RestoreSource, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const withData = new Set(source.reader.manifest.volumes.map(({ namespace, claim }) => `${namespace}/${claim}`));
  const unsaved = new Set<string>();
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumeclaims"]), signal)) {
    const key = `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
    if (!withData.has(key)) unsaved.add(key);
  }
  return unsaved;
}
