import { jobLabel } from "../kinds/own-labels.ts";
import { persistentVolumeClaims, persistentVolumes } from "../kubernetes/built-in-kinds.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { isGone } from "../kubernetes/waiting.ts";
import type { DataRequest } from "../volumes/volume-data.ts";

/** A volume that is read while applications may use it, through a claim and a volume of their own beside the movers. */
export interface LiveVolume {
  /** The claim's, and the name of it and of its volume. */
  readonly namespace: string;
  readonly claim: string;
  /** The claim that was saved. */
  readonly saved: KubernetesObject;
  readonly persistentVolume: KubernetesObject;
  /** The storage class that the claim was saved in. */
  readonly storageClass: string;
  /** Where the mover has to be, as pods on it use the volume, which only one node can. */
  readonly node?: string;
}

interface VolumeSpec {
  readonly accessModes?: readonly string[];
  readonly volumeMode?: string;
  readonly capacity?: { readonly storage?: string };
}

/** Of one volume, not of the storage behind it. */
const ofOneVolume = ["claimRef", "storageClassName", "persistentVolumeReclaimPolicy", "volumeAttributesClassName"];

/**
 * Makes a second volume of the same storage, and a claim on it: a pod mounts claims of its own namespace only, and in that of the
 * application a mover would bring the repository's credentials along, and would be judged by its Pod Security, quotas and policies.
 * What is stored stays when the second volume goes: its policy is Retain. May run again.
 * https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reserving-a-persistentvolume
 */
export async function makeSecondVolume(request: DataRequest, live: LiveVolume): Promise<void> {
  const { cluster, uuid, signal } = request;
  const { namespace, claim: name } = live;
  const labels = { [jobLabel]: uuid };
  const own = Object.entries(live.persistentVolume["spec"] as object).filter(([field]) => !ofOneVolume.includes(field));
  const { accessModes, volumeMode, capacity } = live.persistentVolume["spec"] as VolumeSpec;
  const volume = {
    apiVersion: persistentVolumes.apiVersion,
    kind: persistentVolumes.kind,
    metadata: { name, labels },
    spec: {
      ...Object.fromEntries(own),
      storageClassName: "",
      persistentVolumeReclaimPolicy: "Retain",
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name },
    },
  };
  const claim = {
    apiVersion: persistentVolumeClaims.apiVersion,
    kind: persistentVolumeClaims.kind,
    metadata: { namespace, name, labels },
    spec: {
      accessModes,
      ...(volumeMode !== undefined && { volumeMode }),
      resources: { requests: { storage: capacity?.storage } },
      storageClassName: "",
      volumeName: name,
    },
  };
  await cluster.createOnce(persistentVolumes, "", volume, signal);
  await cluster.createOnce(persistentVolumeClaims, namespace, claim, signal);
}

/**
 * Removes a second volume and its claim; what is stored stays. No pod may use it any more. A volume that its driver still has
 * attached under this name goes by itself when that ends. May run again. FAILED_PRECONDITION when the claim is not gone in time.
 */
export async function removeSecondVolume(
  { cluster, uuid, timeoutMs, signal }: DataRequest,
  { namespace, claim: name }: Pick<LiveVolume, "namespace" | "claim">,
): Promise<void> {
  const claim = await cluster.get(persistentVolumeClaims, namespace, name, signal);
  if (claim?.metadata.labels?.[jobLabel] === uuid) {
    await cluster.delete(persistentVolumeClaims, namespace, name, signal);
    const { uid = "" } = claim.metadata;
    await isGone(cluster, persistentVolumeClaims, namespace, { name, uid }, timeoutMs, signal);
  }
  const volume = await cluster.get(persistentVolumes, "", name, signal);
  if (volume?.metadata.labels?.[jobLabel] === uuid) await cluster.delete(persistentVolumes, "", name, signal);
}
