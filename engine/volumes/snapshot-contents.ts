import type { SavedVolume } from "../archive/format.ts";
import { DrsError } from "../errors.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { waitFor } from "../kubernetes/waiting.ts";
import { jobLabel } from "../objects/object-selection.ts";
import { nameFor, type SnapshotStatus, volumeSnapshotClasses, volumeSnapshotContents } from "./snapshot-resources.ts";

export interface ContentsRequest {
  readonly cluster: Cluster;
  /** The job or backup whose contents they are. */
  readonly uuid: string;
  readonly volumes: readonly SavedVolume[];
  /** What the storage does with the snapshot when the content is deleted. */
  readonly deletionPolicy: "Retain" | "Delete";
  readonly timeoutMs: number;
  readonly inFlight: number;
  readonly signal: AbortSignal;
}

/**
 * Makes a VolumeSnapshotContent of each snapshot in the storage and waits for the driver to look at it. Gives the
 * driver's complaint for each volume whose snapshot it does not find or cannot use, by namespace and claim.
 * https://kubernetes.io/docs/concepts/storage/volume-snapshots/#static
 */
export async function importContents(request: ContentsRequest): Promise<ReadonlyMap<string, string>> {
  const { cluster, uuid, volumes, timeoutMs, inFlight, signal } = request;
  await forEachInFlight(volumes, inFlight, (volume) => createContent(request, volume));
  const statuses = new Map<string, SnapshotStatus>();
  const nameOf = (volume: SavedVolume) => nameFor(uuid, volume.namespace, volume.claim);
  const isSettled = (volume: SavedVolume) => {
    const { readyToUse, error } = statuses.get(nameOf(volume)) ?? {};
    return readyToUse === true || error !== undefined;
  };
  await waitFor(
    cluster,
    {
      type: volumeSnapshotContents,
      namespace: "",
      options: { labelSelector: `${jobLabel}=${uuid}` },
      timeoutMs,
      signal,
    },
    (object) => {
      statuses.set(object.metadata.name, object["status"] ?? {});
    },
    () => volumes.every(isSettled),
  );
  const complaints = new Map<string, string>();
  for (const volume of volumes) {
    const status = statuses.get(nameOf(volume));
    if (status?.readyToUse === true) continue;
    const silence = `the CSI driver ${volume.driver} did not answer within ${timeoutMs / 1000} s`;
    complaints.set(`${volume.namespace}/${volume.claim}`, status?.error?.message ?? silence);
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
  volume: SavedVolume,
): Promise<void> {
  const name = nameFor(uuid, volume.namespace, volume.claim);
  const snapshotClass = await cluster.get(volumeSnapshotClasses, "", volume.snapshotClass, signal);
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
      driver: volume.driver,
      source: { snapshotHandle: volume.snapshotHandle },
      volumeSnapshotRef: { namespace: volume.namespace, name },
      ...(snapshotClass && { volumeSnapshotClassName: volume.snapshotClass }),
    },
  };
  try {
    await cluster.create(volumeSnapshotContents, "", content, signal);
  } catch (error) {
    if (hasStatus(error, 404))
      throw new DrsError(
        "FAILED_PRECONDITION",
        "the cluster serves no VolumeSnapshotContents: install the CSI snapshot controller",
        {
          cause: error,
        },
      );
    if (!hasStatus(error, 409)) throw error;
  }
}

/**
 * Drivers that need credentials find them by these annotations, which the controller sets only on contents that it makes
 * itself. https://kubernetes-csi.github.io/docs/secrets-and-credentials-volume-snapshot-class.html
 */
function secretAnnotations(snapshotClass: KubernetesObject | undefined): Record<string, string> {
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
