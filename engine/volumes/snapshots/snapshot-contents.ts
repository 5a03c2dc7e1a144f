import type { SnapshotData } from "../../archive/format.ts";
import { DrsError } from "../../errors.ts";
import { volumeSnapshotClasses, volumeSnapshotContents } from "../../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { waitFor } from "../../kubernetes/waiting.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { nameFor, type SnapshotStatus } from "./snapshot-objects.ts";
import type { ClaimData, DataRequest } from "../volume-data.ts";

export interface ContentsRequest extends DataRequest {
  readonly volumes: readonly ClaimData<SnapshotData>[];
  /** The fate of the storage's snapshot when the content is deleted. */
  readonly deletionPolicy: "Retain" | "Delete";
}

/** The driver's controller asks it again and again, after a second at first, and takes a complaint back that has passed. */
const complaintPatienceMs = 30_000;

/**
 * Makes a VolumeSnapshotContent of each snapshot in the storage and waits for the driver to look at it. Gives the
 * driver's complaint for each volume whose snapshot it does not find or cannot use, by namespace and claim. A complaint
 * about a snapshot to be used must last for a while; one to be deleted need not be usable.
 * https://kubernetes.io/docs/concepts/storage/volume-snapshots/#static
 */
export async function importContents(request: ContentsRequest): Promise<ReadonlyMap<string, string>> {
  const { cluster, uuid, volumes, deletionPolicy, timeoutMs, inFlight, signal } = request;
  await forEachInFlight(volumes, inFlight, (volume) => createContent(request, volume));
  const statuses = new Map<string, SnapshotStatus>();
  const statusOf = (volume: ClaimData<SnapshotData>) =>
    statuses.get(nameFor(uuid, volume.namespace, volume.claim)) ?? {};
  const isReady = (volume: ClaimData<SnapshotData>) => statusOf(volume).readyToUse === true;
  const isComplaint = (volume: ClaimData<SnapshotData>) => !isReady(volume) && statusOf(volume).error !== undefined;
  const options = { labelSelector: `${jobLabel}=${uuid}` };
  const follow = (limitMs: number, isDone: () => boolean) =>
    waitFor(
      cluster,
      { type: volumeSnapshotContents, namespace: "", options, timeoutMs: limitMs, signal },
      (object) => {
        statuses.set(object.metadata.name, object["status"] ?? {});
      },
      isDone,
    );
  await follow(timeoutMs, () => volumes.every((volume) => isReady(volume) || isComplaint(volume)));
  if (deletionPolicy === "Retain" && volumes.some(isComplaint))
    await follow(Math.min(complaintPatienceMs, timeoutMs), () => volumes.every(isReady));
  const complaints = new Map<string, string>();
  for (const volume of volumes) {
    if (isReady(volume)) continue;
    const silence = `the CSI driver ${volume.data.driver} did not answer within ${timeoutMs / 1000} s`;
    complaints.set(`${volume.namespace}/${volume.claim}`, statusOf(volume).error?.message ?? silence);
  }
  return complaints;
}

/**
 * The driver's controller deletes a snapshot while it holds the content by this finalizer, and takes it away after. It
 * holds contents that are bound; this one never is, so it comes with it.
 */
const heldByController = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection";

async function createContent(
  { cluster, uuid, deletionPolicy, signal }: ContentsRequest,
  { namespace, claim, data }: ClaimData<SnapshotData>,
): Promise<void> {
  const name = nameFor(uuid, namespace, claim);
  const snapshotClass = await cluster.get(volumeSnapshotClasses, "", data.snapshotClass, signal);
  const content = {
    apiVersion: volumeSnapshotContents.apiVersion,
    kind: volumeSnapshotContents.kind,
    metadata: {
      name,
      labels: { [jobLabel]: uuid },
      annotations: secretAnnotations(snapshotClass),
      ...(deletionPolicy === "Delete" && { finalizers: [heldByController] }),
    },
    spec: {
      deletionPolicy,
      driver: data.driver,
      source: { snapshotHandle: data.snapshotHandle },
      volumeSnapshotRef: { namespace, name },
      ...(snapshotClass && { volumeSnapshotClassName: data.snapshotClass }),
    },
  };
  try {
    await cluster.createOnce(volumeSnapshotContents, "", content, signal);
  } catch (error) {
    if (hasStatus(error, 404))
      throw new DrsError(
        "FAILED_PRECONDITION",
        "the cluster serves no VolumeSnapshotContents: install the CSI snapshot controller",
        { id: "DRS-J014", cause: error },
      );
    throw error;
  }
}

/**
 * Drivers that need credentials find them by these annotations, which the controller sets only on contents that it makes
 * itself. https://kubernetes-csi.github.io/docs/secrets-and-credentials-volume-snapshot-class.html
 */
export function secretAnnotations(snapshotClass: KubernetesObject | undefined): Record<string, string> {
  const parameters = (snapshotClass?.["parameters"] ?? {}) as Record<string, string>;
  const annotations: Record<string, string> = {};
  for (const [use, parameter] of [
    ["deletion", "snapshotter"],
    ["list", "snapshotter-list"],
  ] as const) {
    const name = parameters[`csi.storage.k8s.io/${parameter}-secret-name`];
    const namespace = parameters[`csi.storage.k8s.io/${parameter}-secret-namespace`];
    if (name === undefined || namespace === undefined || `${name}${namespace}`.includes("$")) continue;
    const prefix = use === "deletion" ? "deletion-secret" : "list-secret";
    annotations[`snapshot.storage.kubernetes.io/${prefix}-name`] = name;
    annotations[`snapshot.storage.kubernetes.io/${prefix}-namespace`] = namespace;
  }
  return annotations;
}

/**
 * By this annotation the driver's controller lets a content go when it is deleted. The snapshot controller sets it when it
 * deletes the VolumeSnapshot.
 * https://github.com/kubernetes-csi/external-snapshotter/blob/v8.7.0/pkg/sidecar-controller/snapshot_controller.go#L625
 */
export const goesOnceDeleted: Readonly<Record<string, string>> = {
  "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted": "yes",
};
