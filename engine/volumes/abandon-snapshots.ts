import { DrsError } from "../errors.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { JobParts } from "../jobs/parts.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { ResourceType } from "../kubernetes/kubernetes-object.ts";
import { jobLabel } from "../objects/object-selection.ts";
import { existingEntities } from "../objects/entities.ts";
import { deleteSnapshots } from "./delete-snapshots.ts";
import { contentOf, deleteAndWait } from "./detach-snapshot.ts";
import { volumeSnapshotContents, volumeSnapshots } from "./snapshot-resources.ts";
import { savedVolumes } from "./take-snapshots.ts";

/**
 * A driver that fails to take a snapshot tries again after ever longer pauses, and deletes what it has begun only at its next
 * try: a short limit for the snapshots would be too short for that.
 */
const shortestLimitMs = 60_000;

/**
 * Deletes every snapshot that a failed backup has taken or begun, from the cluster and from the storage. One that cannot
 * be deleted is an error that names it, and keeps no other.
 */
export async function abandonSnapshots(
  context: JobContext,
  { cluster, controlPlane, limits }: JobParts,
): Promise<void> {
  const { job, signal } = context;
  const timeoutMs = Math.max(limits.snapshotTimeout, shortestLimitMs);
  const inFlight = limits.clusterConcurrency;
  const ours = { labelSelector: `${jobLabel}=${job.uuid}` };
  const deleteOrTell = async (type: ResourceType, namespace: string, name: string) => {
    try {
      await deleteAndWait(cluster, type, namespace, name, timeoutMs, signal);
    } catch (error) {
      if (!(error instanceof DrsError) || error.code !== "FAILED_PRECONDITION") throw error;
      context.error(namespace, `${error.message}; delete it when its driver answers again`);
    }
  };
  for (const namespace of await existingEntities(cluster, controlPlane, signal)) {
    const begun = cluster.list(volumeSnapshots, namespace, signal, ours);
    await forEachInFlight(begun, inFlight, async (snapshot) => {
      const content = contentOf(snapshot);
      if (content !== undefined)
        await cluster.patch(volumeSnapshotContents, "", content, { spec: { deletionPolicy: "Delete" } }, signal);
      await deleteOrTell(volumeSnapshots, namespace, snapshot.metadata.name);
      // The snapshot controller deletes it, too, but some time later; this waits until the storage has done so.
      if (content !== undefined) await deleteOrTell(volumeSnapshotContents, "", content);
    });
  }
  const volumes = savedVolumes(context);
  if (volumes.length === 0) return;
  // Those whose VolumeSnapshot was taken out of the cluster already.
  await forEachInFlight(cluster.list(volumeSnapshotContents, "", signal, ours), inFlight, async (content) => {
    const { deletionPolicy } = content["spec"] as { deletionPolicy?: string };
    if (deletionPolicy === "Retain") await deleteOrTell(volumeSnapshotContents, "", content.metadata.name);
  });
  const failures = await deleteSnapshots({ cluster, uuid: job.uuid, volumes, timeoutMs, inFlight, signal });
  for (const [claim, reason] of failures)
    context.error("", `the snapshot of ${claim} could not be deleted and stays in the storage: ${reason}`);
}
