import { DrsError } from "../../errors.ts";
import { volumeSnapshotContents, volumeSnapshots } from "../../kubernetes/built-in-kinds.ts";
import { attemptEach, throwAll } from "../../kubernetes/attempts.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { waitUntilGone } from "../../kubernetes/waiting.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
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
 * An object that is refused or late delays nothing but the content of a VolumeSnapshot; the error names it.
 */
export async function detachSnapshots(snapshots: readonly AttachedSnapshot[], request: DetachRequest): Promise<void> {
  const ofSnapshots = await deleteEach(volumeSnapshots, snapshots, request);
  const contents = snapshots
    .filter((snapshot) => !ofSnapshots.left.has(snapshot))
    .map(({ content }) => ({ namespace: "", name: content }));
  const ofContents = await deleteEach(volumeSnapshotContents, contents, request);
  throwAll([...ofSnapshots.failures, ...ofContents.failures]);
}

interface Named {
  readonly namespace: string;
  readonly name: string;
}

/** Gives those that are refused, or not gone in time. */
async function deleteEach<One extends Named>(
  type: ResourceType,
  objects: readonly One[],
  { cluster, uuid, timeoutMs, inFlight, signal }: DetachRequest,
): Promise<{ readonly left: ReadonlySet<One>; readonly failures: readonly DrsError[] }> {
  const refused = await attemptEach(objects, inFlight, ({ namespace, name }) =>
    cluster.delete(type, namespace, name, signal),
  );
  const left = new Set(refused.keys());
  const options = { labelSelector: `${jobLabel}=${uuid}` };
  const held: KubernetesObject[] = [];
  const going = objects.filter((object) => !refused.has(object));
  await forEachInFlight(
    Map.groupBy(going, ({ namespace }) => namespace),
    inFlight,
    async ([namespace, here]) => {
      const byName = new Map(here.map((object) => [object.name, object]));
      const wait = { type, namespace, options, timeoutMs, signal };
      for (const object of await waitUntilGone(cluster, wait, ({ metadata }) => byName.has(metadata.name))) {
        held.push(object);
        const one = byName.get(object.metadata.name);
        if (one) left.add(one);
      }
    },
  );
  const late = held.length > 0 ? [notGone(type, held, timeoutMs)] : [];
  return { left, failures: [...refused.values(), ...late] };
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
    `${type.kind} ${names.join("; ")} ${left.length === 1 ? "was" : "were"} still there ${timeoutMs / 1000} s after deletion`,
    { id: "DRS-R072" },
  );
}
