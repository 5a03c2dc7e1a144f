import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { isMadeByCluster } from "../objects/object-selection.ts";
import { noteAdded } from "./added-objects.ts";
import type { LeftClaims } from "./deleting-claims.ts";
import { restoreFieldOwners } from "./field-owners.ts";
import { keptVolumes, ownMarks, ownPolicy } from "./kept-volumes.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";
import { safetySource } from "./restore-sources.ts";
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
    if (!(await cluster.get(persistentVolumes, "", volumeName, signal))) {
      noteAdded(context, source, persistentVolumes, volumeName);
      await cluster.createOnce(persistentVolumes, "", forClaim(volume, namespace, name), signal);
    }
    await freeFor(cluster, volumeName, namespace, name, signal);
    claim = { ...claim, spec: { ...(claim["spec"] as object), volumeName } };
    context.warn(namespace, `claim ${name} is on its volume ${volumeName} again, whose data is not in the backup`);
  } else if (formerName !== "") context.warn(namespace, `claim ${name} is empty: its data is not in the backup`);
  await cluster.createOnce(persistentVolumeClaims, namespace, claim, signal);
  const made = await cluster.get(persistentVolumeClaims, namespace, name, signal);
  context.notes.set(madeNote(source.notesPrefix, namespace, name), made?.metadata.uid);
  await restoreFieldOwners(cluster, persistentVolumeClaims, archived, signal);
}

function madeNote(notesPrefix: string, namespace: string, claim: string): string {
  return `${notesPrefix}made-claim/${namespace}/${claim}`;
}

/** Whether a restore has made a claim without data to fill it: of its backup, or when it went back, as the notes' prefix says. */
export function isMadeWithoutSnapshot(
  { notes }: JobContext,
  notesPrefix: string,
  { metadata }: KubernetesObject,
): boolean {
  return notes.get(madeNote(notesPrefix, metadata.namespace ?? "", metadata.name)) === metadata.uid;
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
  copy.metadata.labels = ownMarks(copy.metadata.labels);
  copy.metadata.annotations = ownMarks(copy.metadata.annotations);
  copy["spec"] = {
    ...(copy["spec"] as object),
    persistentVolumeReclaimPolicy: ownPolicy(volume),
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

/**
 * Makes claims again that were there when this restore began, are in no backup, and have gone since, as those do that somebody
 * has deleted when their pods stop: on their volumes, which are kept, with a warning. May run again.
 */
export async function remakeGoneClaims(
  parts: JobParts,
  context: JobContext,
  source: RestoreSource,
  inBackup: ReadonlySet<string>,
): Promise<void> {
  const { cluster } = parts;
  const { signal } = context;
  const gone = new Set<string>();
  for (const { namespace, claim, isEphemeral } of keptVolumes(context)) {
    const key = `${namespace}/${claim}`;
    if (isEphemeral === true || inBackup.has(key)) continue;
    if (!(await cluster.get(persistentVolumeClaims, namespace, claim, signal))) gone.add(key);
  }
  if (gone.size === 0) return;
  const safety = await safetySource(parts, context);
  for await (const { object } of objectsOf(safety, partsOf(safety, ["persistentvolumeclaims"]), signal)) {
    const { namespace = "", name } = object.metadata;
    if (!gone.has(`${namespace}/${name}`)) continue;
    await createClaimWithoutSnapshot(cluster, context, source, object, sanitize(persistentVolumeClaims, object));
  }
}

/**
 * Which claims a restore leaves as they are: those whose data is not in the backup. What makes its own, as a pod does with an
 * ephemeral one, takes it along.
 */
export function leftClaims({ reader }: Pick<RestoreSource, "reader">): LeftClaims {
  const withData = new Set(reader.manifest.volumes.map(({ namespace, claim }) => `${namespace}/${claim}`));
  return (claim) =>
    !withData.has(`${claim.metadata.namespace ?? ""}/${claim.metadata.name}`) &&
    !isMadeByCluster(persistentVolumeClaims, claim);
}
