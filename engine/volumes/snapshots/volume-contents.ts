import { randomUUID } from "node:crypto";
import { volumeSnapshotClasses, volumeSnapshotContents } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import type { SnapshotableClaim } from "../claims.ts";
import { deleteInTime, type DiscardRequest } from "./discard-snapshots.ts";
import { goesOnceDeleted, secretAnnotations } from "./snapshot-contents.ts";
import { nameFor } from "./snapshot-objects.ts";

interface ContentSpec {
  readonly deletionPolicy: string;
  readonly source: { readonly volumeHandle?: string };
  readonly volumeSnapshotRef: { readonly namespace: string };
}

/**
 * Takes a snapshot of a volume by a content alone, which the driver's controller needs no VolumeSnapshot for: of a claim that
 * is being deleted the snapshot controller makes none, as it can no longer hold it.
 * https://github.com/kubernetes-csi/external-snapshotter/blob/v8.7.0/pkg/common-controller/snapshot_controller.go#L992
 */
export async function createVolumeContent(
  cluster: Cluster,
  uuid: string,
  { namespace, claim, driver, snapshotClass }: SnapshotableClaim,
  volumeHandle: string,
  signal: AbortSignal,
): Promise<void> {
  const { apiVersion, kind } = volumeSnapshotContents;
  const name = nameFor(uuid, namespace, claim);
  const annotations = secretAnnotations(await cluster.get(volumeSnapshotClasses, "", snapshotClass, signal));
  const content = {
    apiVersion,
    kind,
    metadata: { name, labels: { [jobLabel]: uuid }, annotations },
    spec: {
      deletionPolicy: "Delete",
      driver,
      source: { volumeHandle },
      volumeSnapshotClassName: snapshotClass,
      // The driver's controller calls the snapshot by this uid.
      volumeSnapshotRef: { namespace, name, uid: randomUUID() },
    },
  };
  await cluster.createOnce(volumeSnapshotContents, "", content, signal);
}

/** Deletes the contents that `createVolumeContent` has made for a job, and their snapshots, unless these are to be kept. */
export async function discardVolumeContents(request: DiscardRequest): Promise<void> {
  const { cluster, uuid, inFlight, signal } = request;
  const ours = cluster.list(volumeSnapshotContents, "", signal, { labelSelector: `${jobLabel}=${uuid}` });
  await forEachInFlight(ours, inFlight, async ({ metadata: { name }, ...content }) => {
    const { deletionPolicy, source, volumeSnapshotRef } = content["spec"] as ContentSpec;
    if (deletionPolicy !== "Delete" || source.volumeHandle === undefined) return;
    await cluster.patch(volumeSnapshotContents, "", name, { metadata: { annotations: goesOnceDeleted } }, signal);
    const onHeld: DiscardRequest["onHeld"] = (_, error) => request.onHeld(volumeSnapshotRef.namespace, error);
    await deleteInTime({ ...request, onHeld }, volumeSnapshotContents, "", name);
  });
}
