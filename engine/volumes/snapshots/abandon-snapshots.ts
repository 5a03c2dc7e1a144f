import type { JobContext } from "../../jobs/phase.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import { volumeSnapshotContents } from "../../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { existingNamespaces } from "../../objects/entities.ts";
import { discardData } from "../saved-data.ts";
import { deleteInTime, type DiscardRequest, discardSnapshots, shortestDiscardLimitMs } from "./discard-snapshots.ts";
import { savedVolumes } from "./take-snapshots.ts";
import { discardVolumeContents } from "./volume-contents.ts";

/**
 * Deletes every snapshot that a failed backup has taken or begun, from the cluster and from the storage. One that cannot
 * be deleted is an error that names it, and keeps no other.
 */
export async function abandonSnapshots(
  context: JobContext,
  {
    cluster,
    namespaces: all,
    limits,
  }: Pick<JobDeps, "cluster" | "limits"> & { readonly namespaces: readonly string[] },
): Promise<void> {
  const { job, signal } = context;
  const timeoutMs = Math.max(limits.snapshotTimeout, shortestDiscardLimitMs);
  const inFlight = limits.clusterConcurrency;
  const onHeld: DiscardRequest["onHeld"] = (namespace, { message }) =>
    context.error("DRS-B008", namespace, `${message}; delete it when its driver answers again`);
  const namespaces = await existingNamespaces(cluster, all, signal);
  const discard = { cluster, uuid: job.uuid, namespaces, timeoutMs, inFlight, signal, onHeld };
  await discardSnapshots(discard);
  await discardVolumeContents(discard);
  const volumes = savedVolumes(context);
  if (volumes.length === 0) return;
  // Those whose VolumeSnapshot was taken out of the cluster already.
  const ours = { labelSelector: `${jobLabel}=${job.uuid}` };
  await forEachInFlight(cluster.list(volumeSnapshotContents, "", signal, ours), inFlight, async (content) => {
    const { deletionPolicy } = content["spec"] as { deletionPolicy?: string };
    if (deletionPolicy === "Retain")
      await deleteInTime({ cluster, timeoutMs, signal, onHeld }, volumeSnapshotContents, "", content.metadata.name);
  });
  const failures = await discardData({ cluster, uuid: job.uuid, timeoutMs, inFlight, signal }, volumes);
  for (const [claim, reason] of failures)
    context.error("DRS-B008", "", `the snapshot of ${claim} could not be deleted and stays in the storage: ${reason}`);
}
