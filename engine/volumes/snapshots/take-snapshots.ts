import { type FlatVolume, type SavedVolume, type SnapshotData, withData } from "../../archive/format.ts";
import { DrsError } from "../../errors.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { volumeSnapshotContents, volumeSnapshots } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { waitFor } from "../../kubernetes/waiting.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import type { SnapshotableClaim } from "../claims.ts";
import { detachSnapshots } from "./detach-snapshot.ts";
import { discardSnapshots, shortestDiscardLimitMs } from "./discard-snapshots.ts";
import { goesOnceDeleted } from "./snapshot-contents.ts";
import { nameFor, type SnapshotStatus } from "./snapshot-objects.ts";
import { releaseSources } from "./source-protection.ts";
import { createVolumeContent, discardVolumeContents } from "./volume-contents.ts";
import type { SaveRequest } from "../volume-data.ts";

/** Where a job's notes keep each finished snapshot, by namespace and claim. */
const volumeNotes = "volume/";
const contentNotes = "content/";

/**
 * Takes a snapshot of every claim, all at once, and resolves when every one has been cut: from then on the applications may
 * write again. All are of one moment only when there are none yet: see `discardBegun`.
 *
 * FAILED_PRECONDITION names the claims whose snapshots were not cut in time, with the driver's own words.
 */
export async function takeSnapshots(context: JobContext, request: SaveRequest): Promise<void> {
  const { job, signal } = context;
  const { cluster, claims, inFlight } = request;
  await forEachInFlight(claims, inFlight, (claim) => createSnapshot(cluster, job.uuid, claim, signal));
  await waitUntil(context, request, claims, isCut);
}

/** Resolves when all snapshots can be used. FAILED_PRECONDITION as above. */
export async function awaitSnapshots(context: JobContext, request: SaveRequest): Promise<void> {
  await waitUntil(context, request, request.claims, isReady);
}

/** Deletes the snapshots an earlier run has begun to take. FAILED_PRECONDITION names those that are not gone in time. */
export async function discardBegun({ job, signal }: JobContext, request: SaveRequest): Promise<void> {
  const { cluster, claims, inFlight } = request;
  const timeoutMs = Math.max(request.timeoutMs, shortestDiscardLimitMs);
  const namespaces = new Set(claims.map(({ namespace }) => namespace));
  const discard = { cluster, uuid: job.uuid, namespaces, timeoutMs, inFlight, signal, onHeld: abandon };
  await discardSnapshots(discard);
  await discardVolumeContents(discard);
}

function abandon(_namespace: string, error: DrsError): never {
  throw error;
}

/**
 * Notes the handles of the snapshots taken and takes them out of the cluster's hands: when it resolves the storage holds
 * them and the cluster has no object of them, so that nothing that is deleted there can take one along, and holds no claim
 * for them. May run again.
 */
export async function keepSnapshots(context: JobContext, request: SaveRequest): Promise<void> {
  const { job, notes, signal } = context;
  const { cluster, claims, inFlight, timeoutMs } = request;
  const unkept = claims.filter((claim) => notes.get(volumeNotes + keyOf(claim)) === undefined);
  const snapshots = await waitUntil(context, request, unkept, isReady);
  await forEachInFlight(unkept, inFlight, async (claim) => {
    const status = snapshots.get(keyOf(claim));
    const volume = await retain(cluster, job.uuid, claim, status, signal);
    notes.setAll([
      [volumeNotes + keyOf(claim), volume],
      [contentNotes + keyOf(claim), contentNameOf(job.uuid, claim, status)],
    ]);
  });
  const kept = claims.map((claim) => ({
    namespace: claim.namespace,
    name: nameFor(job.uuid, claim.namespace, claim.claim),
    content: notes.get<string>(contentNotes + keyOf(claim)) ?? "",
  }));
  await detachSnapshots(kept, { cluster, uuid: job.uuid, timeoutMs, inFlight, signal });
  for (const namespace of new Set(claims.map((claim) => claim.namespace)))
    await releaseSources({ cluster, inFlight, signal }, namespace);
  reportSpread(context);
}

/** The snapshots that a job has noted, in the order of namespace and claim. */
export function savedVolumes({ notes }: { readonly notes: Pick<JobContext["notes"], "entries"> }): SavedVolume[] {
  return [...notes.entries<SavedVolume | FlatVolume>(volumeNotes)].map(([, volume]) => withData(volume));
}

async function createSnapshot(
  cluster: Cluster,
  uuid: string,
  claim: SnapshotableClaim,
  signal: AbortSignal,
): Promise<void> {
  if (claim.volumeHandle !== undefined) return createVolumeContent(cluster, uuid, claim, claim.volumeHandle, signal);
  const snapshot = {
    apiVersion: volumeSnapshots.apiVersion,
    kind: volumeSnapshots.kind,
    metadata: { name: nameFor(uuid, claim.namespace, claim.claim), labels: { [jobLabel]: uuid } },
    spec: { volumeSnapshotClassName: claim.snapshotClass, source: { persistentVolumeClaimName: claim.claim } },
  };
  await cluster.createOnce(volumeSnapshots, claim.namespace, snapshot, signal);
}

type IsSo = (status: SnapshotStatus) => boolean;
const isReady: IsSo = ({ readyToUse }) => readyToUse === true;
const isCut: IsSo = (status) => status.creationTime !== undefined || isReady(status);

/** Waits until something is so of every claim's snapshot; gives the snapshots' statuses by claim. */
async function waitUntil(
  { job, signal }: JobContext,
  { cluster, timeoutMs }: SaveRequest,
  claims: readonly SnapshotableClaim[],
  isSo: IsSo,
): Promise<ReadonlyMap<string, SnapshotStatus>> {
  const claimByName = new Map(claims.map((claim) => [nameFor(job.uuid, claim.namespace, claim.claim), claim]));
  const statuses = new Map<string, SnapshotStatus>();
  const isLate = (claim: SnapshotableClaim) => !isSo(statuses.get(keyOf(claim)) ?? {});
  const see = (object: KubernetesObject, gone: boolean) => {
    const claim = claimByName.get(object.metadata.name);
    if (!claim) return;
    if (gone) statuses.delete(keyOf(claim));
    else statuses.set(keyOf(claim), object["status"] ?? {});
  };
  const options = { labelSelector: `${jobLabel}=${job.uuid}` };
  const follow = (type: ResourceType, namespace: string, here: readonly SnapshotableClaim[]) =>
    waitFor(cluster, { type, namespace, options, timeoutMs, signal }, see, () => !here.some(isLate));
  const [ofVolumes, ofClaims] = [claims.filter(hasContentOnly), claims.filter((claim) => !hasContentOnly(claim))];
  const followed = [...Map.groupBy(ofClaims, (claim) => claim.namespace)];
  await Promise.all([
    ...followed.map(([namespace, here]) => follow(volumeSnapshots, namespace, here)),
    ...(ofVolumes.length > 0 ? [follow(volumeSnapshotContents, "", ofVolumes)] : []),
  ]);
  const late = claims.filter(isLate);
  if (late.length === 0) return statuses;
  const names = late.map((claim) => {
    const reason = statuses.get(keyOf(claim))?.error?.message;
    return reason === undefined ? keyOf(claim) : `${keyOf(claim)} (${reason})`;
  });
  throw new DrsError(
    "FAILED_PRECONDITION",
    `the snapshots of ${names.join(", ")} were not ready within ${timeoutMs / 1000} s: see the events of these claims and the log of the CSI driver's snapshotter`,
    { id: "DRS-B003" },
  );
}

/** Makes the storage keep the snapshot whatever happens to its objects. */
async function retain(
  cluster: Cluster,
  uuid: string,
  claim: SnapshotableClaim,
  cut: SnapshotStatus | undefined,
  signal: AbortSignal,
): Promise<SavedVolume> {
  const content = contentNameOf(uuid, claim, cut);
  const metadata = { labels: { [jobLabel]: uuid }, ...(hasContentOnly(claim) && { annotations: goesOnceDeleted }) };
  await cluster.patch(volumeSnapshotContents, "", content, { metadata, spec: { deletionPolicy: "Retain" } }, signal);
  const bytes = await cluster.getRaw(volumeSnapshotContents, "", content, signal);
  const status = bytes && ((JSON.parse(bytes.toString()) as KubernetesObject)["status"] as SnapshotStatus | undefined);
  if (status?.snapshotHandle === undefined)
    throw new DrsError("UNAVAILABLE", `the snapshot of claim ${claim.namespace}/${claim.claim} has no handle yet`);
  const { volumeHandle: _, driver, snapshotClass, ...saved } = claim;
  const snapshot: SnapshotData = {
    kind: "snapshot",
    driver,
    snapshotClass,
    snapshotHandle: status.snapshotHandle,
    restoreSize: status.restoreSize === undefined ? null : Number(status.restoreSize),
    snapshotTime: new Date(
      status.creationTime === undefined ? Date.now() : Number(status.creationTime) / 1e6,
    ).toISOString(),
  };
  return { ...saved, data: [snapshot] };
}

/** Whether there is no VolumeSnapshot: see `createVolumeContent`. */
function hasContentOnly({ volumeHandle }: SnapshotableClaim): boolean {
  return volumeHandle !== undefined;
}

function contentNameOf(uuid: string, claim: SnapshotableClaim, status: SnapshotStatus | undefined): string {
  if (hasContentOnly(claim)) return nameFor(uuid, claim.namespace, claim.claim);
  return status?.boundVolumeSnapshotContentName ?? "";
}

function reportSpread(context: JobContext): void {
  const times = savedVolumes(context).flatMap(({ data }) => data.map(({ snapshotTime }) => Date.parse(snapshotTime)));
  if (times.length === 0) return;
  context.info(`${times.length} snapshots taken within ${Math.max(...times) - Math.min(...times)} ms of one another`);
}

function keyOf({ namespace, claim }: { namespace: string; claim: string }): string {
  return `${namespace}/${claim}`;
}
