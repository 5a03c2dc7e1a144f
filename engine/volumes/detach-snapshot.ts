import { DrsError } from "../errors.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { waitUntilGone } from "../kubernetes/waiting.ts";
import type { KubernetesObject, ResourceType } from "../kubernetes/kubernetes-object.ts";
import { type SnapshotStatus, volumeSnapshotContents, volumeSnapshots } from "./snapshot-resources.ts";

/**
 * Removes a VolumeSnapshot of ours and its content, and leaves the snapshot in the storage: the content is made to say so
 * first. Either may be gone already; `content` names it for the case that only the VolumeSnapshot is.
 */
export async function detachSnapshot(
  cluster: Cluster,
  { namespace, name, content }: { namespace: string; name: string; content: string | undefined },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const snapshot = await cluster.get(volumeSnapshots, namespace, name, signal);
  const bound = (snapshot && contentOf(snapshot)) ?? content;
  if (bound !== undefined)
    await cluster.patch(volumeSnapshotContents, "", bound, { spec: { deletionPolicy: "Retain" } }, signal);
  await deleteAndWait(cluster, volumeSnapshots, namespace, name, timeoutMs, signal);
  if (bound !== undefined) await deleteAndWait(cluster, volumeSnapshotContents, "", bound, timeoutMs, signal);
}

/** The content that a VolumeSnapshot is bound to, or asks for. */
export function contentOf(snapshot: KubernetesObject): string | undefined {
  const bound = (snapshot["status"] as SnapshotStatus | undefined)?.boundVolumeSnapshotContentName;
  const { source } = snapshot["spec"] as { source?: { volumeSnapshotContentName?: string } };
  return bound ?? source?.volumeSnapshotContentName;
}

/** Deletes an object and waits until it is gone. FAILED_PRECONDITION, naming it, when it is not in time. */
export async function deleteAndWait(
  cluster: Cluster,
  type: ResourceType,
  namespace: string,
  name: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  await cluster.delete(type, namespace, name, signal);
  const options = { fieldSelector: `metadata.name=${name}` };
  const left = await waitUntilGone(cluster, { type, namespace, options, timeoutMs, signal }, () => true);
  if (left.length === 0) return;
  const where = namespace === "" ? name : `${namespace}/${name}`;
  const holders = left[0]?.metadata.finalizers?.join(", ") ?? "";
  const reason = (left[0]?.["status"] as SnapshotStatus | undefined)?.error?.message;
  throw new DrsError(
    "FAILED_PRECONDITION",
    `${type.kind} ${where} was not gone ${timeoutMs / 1000} s after its deletion` +
      (reason === undefined ? "" : `: ${reason}`) +
      (holders === "" ? "" : ` (held by ${holders})`),
  );
}
