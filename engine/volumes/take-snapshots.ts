import type { SavedVolume } from "../archive/format.ts";
import { DrsError } from "../errors.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { waitFor } from "../kubernetes/waiting.ts";
import { jobLabel } from "../objects/object-selection.ts";
import type { SnapshotableClaim } from "./claims.ts";
import { detachSnapshot } from "./detach-snapshot.ts";
import { nameFor, type SnapshotStatus, volumeSnapshotContents, volumeSnapshots } from "./snapshot-resources.ts";

export interface SnapshotRequest {
  readonly cluster: Cluster;
  readonly claims: readonly SnapshotableClaim[];
  readonly timeoutMs: number;
  readonly inFlight: number;
  /** Called once when every snapshot has been cut: from then on the applications may write again. */
  readonly onCut: () => Promise<void>;
}

/** Where a job's notes keep each finished snapshot, by namespace and claim. */
const volumeNotes = "volume/";
const contentNotes = "content/";

/**
 * Takes a snapshot of every claim, all at once, and notes each one's handle. When it resolves the storage holds the
 * snapshots and the cluster has no object of them: nothing that is deleted there can take one along. May run again after
 * a crash: what was finished stays, what was begun is taken up.
 *
 * FAILED_PRECONDITION names the claims whose snapshots were not ready in time, with the driver's own words.
 */
export async function takeSnapshots(context: JobContext, request: SnapshotRequest): Promise<void> {
  const { job, notes, signal } = context;
  const { cluster, claims, inFlight } = request;
  const waiting = unfinishedClaims(context, claims);
  await forEachInFlight(waiting, inFlight, (claim) => createSnapshot(cluster, job.uuid, claim, signal));
  const snapshots = await waitUntilReady(context, request, waiting);
  await forEachInFlight(waiting, inFlight, async (claim) => {
    const status = snapshots.get(keyOf(claim));
    const volume = await retain(cluster, claim, status, signal);
    notes.setAll([
      [volumeNotes + keyOf(claim), volume],
      [contentNotes + keyOf(claim), status?.boundVolumeSnapshotContentName],
    ]);
  });
  await forEachInFlight(claims, inFlight, (claim) => {
    const name = nameFor(job.uuid, claim.namespace, claim.claim);
    const content = notes.get<string>(contentNotes + keyOf(claim));
    return detachSnapshot(cluster, { namespace: claim.namespace, name, content }, request.timeoutMs, signal);
  });
  tellSpread(context);
}

/** Those of the claims whose snapshots are yet to be taken. */
export function unfinishedClaims(
  { notes }: Pick<JobContext, "notes">,
  claims: readonly SnapshotableClaim[],
): readonly SnapshotableClaim[] {
  return claims.filter((claim) => notes.get(volumeNotes + keyOf(claim)) === undefined);
}

/** The snapshots that a job has noted, in the order of namespace and claim. */
export function savedVolumes({ notes }: Pick<JobContext, "notes">): SavedVolume[] {
  return [...notes.entries<SavedVolume>(volumeNotes)].map(([, volume]) => volume);
}

async function createSnapshot(
  cluster: Cluster,
  uuid: string,
  claim: SnapshotableClaim,
  signal: AbortSignal,
): Promise<void> {
  const snapshot = {
    apiVersion: volumeSnapshots.apiVersion,
    kind: volumeSnapshots.kind,
    metadata: { name: nameFor(uuid, claim.namespace, claim.claim), labels: { [jobLabel]: uuid } },
    spec: { volumeSnapshotClassName: claim.snapshotClass, source: { persistentVolumeClaimName: claim.claim } },
  };
  try {
    await cluster.create(volumeSnapshots, claim.namespace, snapshot, signal);
  } catch (error) {
    if (!hasStatus(error, 409)) throw error;
  }
}

/** The ready snapshots' statuses by claim. */
async function waitUntilReady(
  context: JobContext,
  { cluster, timeoutMs, onCut }: SnapshotRequest,
  claims: readonly SnapshotableClaim[],
): Promise<ReadonlyMap<string, SnapshotStatus>> {
  const { job, signal } = context;
  const claimByName = new Map(claims.map((claim) => [nameFor(job.uuid, claim.namespace, claim.claim), claim]));
  const statuses = new Map<string, SnapshotStatus>();
  const all = (isSo: (status: SnapshotStatus) => boolean) =>
    claims.every((claim) => isSo(statuses.get(keyOf(claim)) ?? {}));
  const see = (object: KubernetesObject) => {
    const claim = claimByName.get(object.metadata.name);
    if (claim) statuses.set(keyOf(claim), object["status"] ?? {});
  };
  const namespaces = [...new Set(claims.map((claim) => claim.namespace))];
  const until = async (isSo: (status: SnapshotStatus) => boolean) => {
    const here = (namespace: string) => () =>
      claims.every((claim) => claim.namespace !== namespace || isSo(statuses.get(keyOf(claim)) ?? {}));
    await Promise.all(
      namespaces.map((namespace) =>
        waitFor(
          cluster,
          {
            type: volumeSnapshots,
            namespace,
            options: { labelSelector: `${jobLabel}=${job.uuid}` },
            timeoutMs,
            signal,
          },
          see,
          here(namespace),
        ),
      ),
    );
    if (all(isSo)) return;
    const late = claims.filter((claim) => !isSo(statuses.get(keyOf(claim)) ?? {}));
    const names = late.map((claim) => {
      const reason = statuses.get(keyOf(claim))?.error?.message;
      return reason === undefined
        ? `${claim.namespace}/${claim.claim}`
        : `${claim.namespace}/${claim.claim} (${reason})`;
    });
    throw new DrsError(
      "FAILED_PRECONDITION",
      `the snapshots of ${names.join(", ")} were not ready within ${timeoutMs / 1000} s: see the events of these claims and the log of the CSI driver's snapshotter`,
    );
  };
  await until((status) => status.creationTime !== undefined || status.readyToUse === true);
  await onCut();
  await until((status) => status.readyToUse === true);
  return statuses;
}

/** Makes the storage keep the snapshot whatever happens to its objects. */
async function retain(
  cluster: Cluster,
  claim: SnapshotableClaim,
  { boundVolumeSnapshotContentName: content = "" }: SnapshotStatus = {},
  signal: AbortSignal,
): Promise<SavedVolume> {
  await cluster.patch(volumeSnapshotContents, "", content, { spec: { deletionPolicy: "Retain" } }, signal);
  const bytes = await cluster.getRaw(volumeSnapshotContents, "", content, signal);
  const status = bytes && ((JSON.parse(bytes.toString()) as KubernetesObject)["status"] as SnapshotStatus | undefined);
  if (status?.snapshotHandle === undefined)
    throw new DrsError("UNAVAILABLE", `the snapshot of claim ${claim.namespace}/${claim.claim} has no handle yet`);
  return {
    ...claim,
    snapshotHandle: status.snapshotHandle,
    restoreSize: status.restoreSize === undefined ? null : Number(status.restoreSize),
    snapshotTime: new Date(
      status.creationTime === undefined ? Date.now() : Number(status.creationTime) / 1e6,
    ).toISOString(),
  };
}

function tellSpread(context: JobContext): void {
  const times = savedVolumes(context).map((volume) => Date.parse(volume.snapshotTime));
  if (times.length === 0) return;
  context.info(`${times.length} snapshots taken within ${Math.max(...times) - Math.min(...times)} ms of one another`);
}

function keyOf({ namespace, claim }: { namespace: string; claim: string }): string {
  return `${namespace}/${claim}`;
}
