import type { SnapshotData } from "../archive/format.ts";
import { persistentVolumeClaims, persistentVolumes } from "../kubernetes/built-in-kinds.ts";
import { isGone } from "../kubernetes/waiting.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { jobLabel } from "../kinds/own-labels.ts";
import { isBound, unboundClaims, volumeOf } from "../volumes/bound-claims.ts";
import { checkData, fillClaims, releaseData } from "../volumes/saved-data.ts";
import type { ClaimData, DataRequest } from "../volumes/volume-data.ts";

/** A claim that is made from a snapshot to be read, in the namespace of movers. */
export interface Clone extends ClaimData<SnapshotData> {
  readonly storageClass: string;
  /** The claim that was saved. */
  readonly saved: KubernetesObject;
}

interface ClaimSpec {
  readonly accessModes?: readonly string[];
  readonly volumeMode?: "Filesystem" | "Block";
  readonly resources?: { readonly requests?: { readonly storage?: string } };
}

export function modeOf(claim: KubernetesObject): "Filesystem" | "Block" {
  return (claim["spec"] as ClaimSpec).volumeMode ?? "Filesystem";
}

/** Makes a clone, which binds by the pod that reads it at the latest. Returns what the driver has against it. May run again. */
export async function makeClone(request: DataRequest, clone: Clone): Promise<string | undefined> {
  const { namespace, claim, data } = clone;
  const faults = await checkData(request, [{ namespace, claim, data }]);
  const fault = faults.get(`${namespace}/${claim}`);
  if (fault !== undefined) return fault;
  await fillClaims(request, [{ namespace, claim, data, object: claimOf(request.uuid, clone) }], async () => {});
  return undefined;
}

/** It is asked for as the saved claim was: not every driver makes a volume for reading only, or in another mode, of a snapshot. */
function claimOf(uuid: string, { namespace, claim: name, storageClass, saved }: Clone): KubernetesObject {
  const { accessModes, volumeMode, resources } = saved["spec"] as ClaimSpec;
  const { apiVersion, kind } = persistentVolumeClaims;
  return {
    apiVersion,
    kind,
    metadata: { namespace, name, labels: { [jobLabel]: uuid } },
    spec: {
      accessModes,
      ...(volumeMode && { volumeMode }),
      resources: { requests: { storage: resources?.requests?.storage } },
      storageClassName: storageClass,
    },
  };
}

/**
 * Removes a clone with its volume, whatever its class does with volumes, and what it was made from in the cluster; the snapshot
 * stays. No pod may use it any more. May run again. FAILED_PRECONDITION names what is not gone in time.
 */
export async function removeClone(request: DataRequest, clone: ClaimData<SnapshotData>): Promise<void> {
  const { cluster, uuid, timeoutMs, signal } = request;
  const { namespace, claim: name } = clone;
  const claim = await settled(request, clone);
  if (claim?.metadata.labels?.[jobLabel] === uuid) {
    const { uid = "" } = claim.metadata;
    if (isBound(claim)) await letGo(request, volumeOf(claim));
    await cluster.delete(persistentVolumeClaims, namespace, name, signal);
    await isGone(cluster, persistentVolumeClaims, namespace, { name, uid }, timeoutMs, signal);
    const late = await cluster.get(persistentVolumes, "", `${volumePrefix}${uid}`, signal);
    if (late !== undefined && uidOf(late) === uid) await letGo(request, late.metadata.name);
  }
  await releaseData(request, [clone]);
}

/**
 * Names of volumes that a driver makes are this and the claim's uid, unless its provisioner is set otherwise.
 * https://github.com/kubernetes-csi/external-provisioner/blob/v6.4.0/README.md#command-line-options
 */
const volumePrefix = "pvc-";
/** On claims for which a driver makes a volume at this moment, or has made one. */
const provisionerAnnotation = "volume.kubernetes.io/storage-provisioner";

/**
 * The claim, when the driver is done with it: a volume that comes later than the claim goes would stay where its class says Retain.
 * Where the driver makes none in time the claim goes all the same.
 */
async function settled(
  { cluster, timeoutMs, signal }: DataRequest,
  { namespace, claim: name }: ClaimData<SnapshotData>,
): Promise<KubernetesObject | undefined> {
  const claim = await cluster.get(persistentVolumeClaims, namespace, name, signal);
  if (claim === undefined || isBound(claim) || !(provisionerAnnotation in annotationsOf(claim))) return claim;
  await unboundClaims({ cluster, timeoutMs, signal }, namespace, new Set([name]));
  return cluster.get(persistentVolumeClaims, namespace, name, signal);
}

async function letGo({ cluster, signal }: DataRequest, volume: string): Promise<void> {
  const goes = { spec: { persistentVolumeReclaimPolicy: "Delete" } };
  await cluster.patch(persistentVolumes, "", volume, goes, signal);
}

function annotationsOf({ metadata }: KubernetesObject): object {
  return metadata.annotations ?? {};
}

/** Of the claim that a volume was made for. */
function uidOf(volume: KubernetesObject): string | undefined {
  return (volume["spec"] as { claimRef?: { uid?: string } }).claimRef?.uid;
}
