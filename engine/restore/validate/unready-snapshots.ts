import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { volumeSnapshots } from "../../kubernetes/built-in-kinds.ts";
import { isSavedObject } from "../../objects/object-selection.ts";
import type { SnapshotSpec, SnapshotStatus } from "../../volumes/snapshots/snapshot-objects.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import { leftClaims } from "../claims/claims-without-data.ts";

/**
 * Reports users' VolumeSnapshots that are not ready: the snapshot controller holds their claims until they are, also those
 * that the restore deletes.
 * https://github.com/kubernetes-csi/external-snapshotter/blob/v8.7.0/pkg/common-controller/snapshot_controller.go#L1034
 */
export async function reportUnreadySnapshots(
  source: RestoreSource,
  { cluster, limits }: JobDeps,
  { signal, info }: JobContext,
): Promise<void> {
  const isLeft = leftClaims(source);
  for (const namespace of source.targetNamespaces)
    for await (const snapshot of cluster.list(volumeSnapshots, namespace, signal)) {
      const { persistentVolumeClaimName: claim } = (snapshot["spec"] as SnapshotSpec).source;
      const { readyToUse, error } = (snapshot["status"] ?? {}) as SnapshotStatus;
      if (claim === undefined || readyToUse === true || !isSavedObject(volumeSnapshots, snapshot)) continue;
      if (isLeft({ metadata: { namespace, name: claim } })) continue;
      const reason = error?.message === undefined ? "" : ` (${error.message})`;
      info(
        `VolumeSnapshot ${namespace}/${snapshot.metadata.name} of claim ${claim} is not ready${reason}: ` +
          `it may hold the claim for ${limits.finalizerTimeout / 1000} s after its deletion`,
      );
    }
}
