import { persistentVolumeClaims, volumeSnapshots } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { removeFinalizer } from "../../kubernetes/finalizers.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { SnapshotSpec, SnapshotStatus } from "./snapshot-objects.ts";

const sourceProtection = "snapshot.storage.kubernetes.io/pvc-as-source-protection";

export interface ReleaseRequest {
  readonly cluster: Cluster;
  readonly inFlight: number;
  readonly signal: AbortSignal;
}

/**
 * Lets the claims of a namespace go that the snapshot controller holds for no VolumeSnapshot any more. It should do so itself
 * when the last one of a claim is ready or gone, but forgets it where it has not seen yet that the claim is held, as after the
 * API server was away; and without a VolumeSnapshot it never looks at the claim again, which could not be deleted then.
 * https://github.com/kubernetes-csi/external-snapshotter/blob/v8.7.0/pkg/common-controller/snapshot_controller.go#L1069
 */
export async function releaseSources({ cluster, inFlight, signal }: ReleaseRequest, namespace: string): Promise<void> {
  const held: KubernetesObject[] = [];
  for await (const claim of cluster.list(persistentVolumeClaims, namespace, signal))
    if (claim.metadata.finalizers?.includes(sourceProtection) === true) held.push(claim);
  if (held.length === 0) return;
  const inUse = new Set<string | undefined>(); // looked at after the claims: what one was held for then is among them
  for await (const snapshot of cluster.list(volumeSnapshots, namespace, signal)) {
    const { readyToUse } = (snapshot["status"] ?? {}) as SnapshotStatus;
    if (readyToUse !== true) inUse.add((snapshot["spec"] as SnapshotSpec).source.persistentVolumeClaimName);
  }
  const forgotten = held.filter(({ metadata }) => !inUse.has(metadata.name));
  await forEachInFlight(forgotten, inFlight, (claim) =>
    removeFinalizer(cluster, persistentVolumeClaims, claim, sourceProtection, signal),
  );
}
