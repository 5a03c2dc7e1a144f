import { DrsError } from "../errors.ts";
import { volumeSnapshotContents, volumeSnapshots } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { waitUntilGone } from "../kubernetes/waiting.ts";
import type { KubernetesObject, ResourceType } from "../kubernetes/kubernetes-object.ts";
import { jobLabel } from "../kinds/own-labels.ts";
import type { SnapshotSpec, SnapshotStatus } from "./snapshot-objects.ts";

/** A VolumeSnapshot of ours and its content. */
export interface AttachedSnapshot {
  readonly namespace: string;
  readonly name: string;
  readonly content: string;
}

export interface DetachRequest {
  readonly cluster: Cluster;
  /** The job's, by whose label both are found; their contents say `Retain` already. */
  readonly uuid: string;
  readonly timeoutMs: number;
  readonly inFlight: number;
  readonly signal: AbortSignal;
}

/**
 * Removes VolumeSnapshots and their contents, which are kept by `Retain`: the snapshots stay in the storage. May run again.
 * FAILED_PRECONDITION names what was not gone in time; it keeps nothing else.
 */
export async function detachSnapshots(snapshots: readonly AttachedSnapshot[], request: DetachRequest): Promise<void> {
  const held = await deleteEach(volumeSnapshots, snapshots, request);
  const isGone = ({ namespace, name }: AttachedSnapshot) =>
    !held.some(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  const contents = snapshots.filter(isGone).map(({ content }) => ({ namespace: "", name: content }));
  const heldContents = await deleteEach(volumeSnapshotContents, contents, request);
  if (held.length > 0) throw notGone(volumeSnapshots, held, request.timeoutMs);
  if (heldContents.length > 0) throw notGone(volumeSnapshotContents, heldContents, request.timeoutMs);
}

/** Gives those that are not gone in time. */
async function deleteEach(
  type: ResourceType,
  objects: readonly { readonly namespace: string; readonly name: string }[],
  { cluster, uuid, timeoutMs, inFlight, signal }: DetachRequest,
): Promise<readonly KubernetesObject[]> {
  await forEachInFlight(objects, inFlight, ({ namespace, name }) => cluster.delete(type, namespace, name, signal));
  const options = { labelSelector: `${jobLabel}=${uuid}` };
  const held: KubernetesObject[] = [];
  const objectsIn = Map.groupBy(objects, (object) => object.namespace);
  await forEachInFlight(objectsIn, inFlight, async ([namespace, here]) => {
    const names = new Set(here.map(({ name }) => name));
    const wait = { type, namespace, options, timeoutMs, signal };
    held.push(...(await waitUntilGone(cluster, wait, ({ metadata }) => names.has(metadata.name))));
  });
  return held;
}

/** The content that a VolumeSnapshot is bound to, or asks for. */
export function contentOf(snapshot: KubernetesObject): string | undefined {
  const bound = (snapshot["status"] as SnapshotStatus | undefined)?.boundVolumeSnapshotContentName;
  return bound ?? (snapshot["spec"] as SnapshotSpec).source.volumeSnapshotContentName;
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
  if (left.length > 0) throw notGone(type, left, timeoutMs);
}

function notGone(type: ResourceType, left: readonly KubernetesObject[], timeoutMs: number): DrsError {
  const names = left.map(({ metadata, ...object }) => {
    const where = metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
    const holders = metadata.finalizers?.join(", ") ?? "";
    const reason = (object["status"] as SnapshotStatus | undefined)?.error?.message;
    return where + (reason === undefined ? "" : `: ${reason}`) + (holders === "" ? "" : ` (held by ${holders})`);
  });
  return new DrsError(
    "FAILED_PRECONDITION",
    `${type.kind} ${names.join("; ")} ${left.length === 1 ? "was" : "were"} not gone ${timeoutMs / 1000} s after deletion`,
  );
}
