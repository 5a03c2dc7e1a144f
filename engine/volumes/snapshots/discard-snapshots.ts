import { setInterval } from "node:timers/promises";
import { DrsError } from "../../errors.ts";
import { volumeSnapshotContents, volumeSnapshots } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { contentOf, deleteAndWait } from "./detach-snapshot.ts";
import { goesOnceDeleted } from "./snapshot-contents.ts";
import { releaseSources } from "./source-protection.ts";

/**
 * A driver that fails to take a snapshot tries again after ever longer pauses, and deletes what it has begun only at its next
 * try: a short limit for the snapshots would be too short for that. The pauses double from a second on.
 */
export const shortestDiscardLimitMs = 180_000;

export interface DiscardRequest {
  readonly cluster: Cluster;
  readonly uuid: string;
  readonly namespaces: Iterable<string>;
  /** For each object to be gone. */
  readonly timeoutMs: number;
  readonly inFlight: number;
  readonly signal: AbortSignal;
  /** Called for each object that is not gone in time. */
  readonly onHeld: (namespace: string, error: DrsError) => void;
}

/** Deletes the VolumeSnapshots of a job in some namespaces, with their contents and the snapshots in the storage; no claim is held for them afterwards. */
export async function discardSnapshots(request: DiscardRequest): Promise<void> {
  const { cluster, uuid, inFlight, signal } = request;
  const ours = { labelSelector: `${jobLabel}=${uuid}` };
  await forEachInFlight(request.namespaces, inFlight, async (namespace) => {
    await forEachInFlight(cluster.list(volumeSnapshots, namespace, signal, ours), inFlight, async (snapshot) => {
      // The controller's own name for it, as it may have created a content that the snapshot does not name yet.
      const content = contentOf(snapshot) ?? `snapcontent-${snapshot.metadata.uid}`;
      await whileDropping(request, content, async () => {
        if (await deleteInTime(request, volumeSnapshots, namespace, snapshot.metadata.name))
          // The snapshot controller deletes it, too, but some time later; this waits until the storage has done so.
          await deleteInTime(request, volumeSnapshotContents, "", content);
      });
    });
    await releaseSources(request, namespace);
  });
}

const dropIntervalMs = 5_000;
/** On contents: when their deletion was last requested. */
const droppedAnnotation = "drs.cloudera.com/dropped-at";

/**
 * Says of a content, again and again while `work` runs, that the storage is to drop the snapshot with it. Once is not enough:
 * the driver's controller does not look again at a content that went while its snapshot was taken, and may drop the mark that
 * it is to go, as it writes all annotations as it last saw them. So each time something changes.
 * https://github.com/kubernetes-csi/external-snapshotter/issues/1388
 * https://github.com/kubernetes-csi/external-snapshotter/blob/v8.7.0/pkg/sidecar-controller/snapshot_controller.go#L656
 */
async function whileDropping(
  { cluster, signal }: Pick<DiscardRequest, "cluster" | "signal">,
  content: string,
  work: () => Promise<void>,
): Promise<void> {
  const drop = () => {
    const annotations = { ...goesOnceDeleted, [droppedAnnotation]: new Date().toISOString() };
    const dropped = { metadata: { annotations }, spec: { deletionPolicy: "Delete" } };
    return cluster.patch(volumeSnapshotContents, "", content, dropped, signal);
  };
  await drop();
  const isOver = new AbortController();
  const dropping = async () => {
    for await (const _ of setInterval(dropIntervalMs, undefined, { signal: isOver.signal }))
      await drop().catch(() => undefined); // the deletion meets the same error, or outlasts it
  };
  const dropped = dropping().catch(() => undefined); // ended
  try {
    await work();
  } finally {
    isOver.abort();
    await dropped; // or its last patch could come after the object is taken for gone
  }
}

/** Deletes an object and waits until it is gone, and returns whether it is; `onHeld` is called for one that is not in time. */
export async function deleteInTime(
  { cluster, timeoutMs, signal, onHeld }: Pick<DiscardRequest, "cluster" | "timeoutMs" | "signal" | "onHeld">,
  type: ResourceType,
  namespace: string,
  name: string,
): Promise<boolean> {
  try {
    await deleteAndWait(cluster, type, namespace, name, timeoutMs, signal);
    return true;
  } catch (error) {
    if (!(error instanceof DrsError) || error.code !== "FAILED_PRECONDITION") throw error;
    onHeld(namespace, error);
    return false;
  }
}
