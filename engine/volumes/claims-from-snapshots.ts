import type { SavedVolume } from "../archive/format.ts";
import { DrsError } from "../errors.ts";
import { persistentVolumeClaims, volumeSnapshots } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { removeFinalizer } from "../kubernetes/finalizers.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { waitFor } from "../kubernetes/waiting.ts";
import { jobLabel } from "../objects/object-selection.ts";
import { detachSnapshots } from "./detach-snapshot.ts";
import { provisioningFailure } from "./provisioning-failure.ts";
import { bytesOf } from "./quantity.ts";
import { nameFor, type SnapshotStatus } from "./snapshot-objects.ts";

export interface ClaimsRequest {
  readonly cluster: Cluster;
  /** The restore's uuid: its contents have been imported under it (`importContents`). */
  readonly uuid: string;
  readonly timeoutMs: number;
  readonly inFlight: number;
  readonly signal: AbortSignal;
}

const sourceProtection = "provisioner.storage.kubernetes.io/volumesnapshot-as-source-protection";

interface ClaimSpec {
  storageClassName?: string;
  resources?: { requests?: { storage?: string } };
}

/** A claim that is to be filled. */
export interface WantedClaim {
  readonly volume: SavedVolume;
  readonly claim: KubernetesObject;
}

/**
 * Makes the VolumeSnapshots of imported contents, and of each the claim that is filled from it as soon as it is ready: before
 * that the provisioner would try in vain, and wait longer each time. `made` is called for each claim. May run again.
 *
 * FAILED_PRECONDITION names the claims whose snapshots do not get ready in time.
 */
export async function createClaimsFromSnapshots<T extends WantedClaim>(
  request: ClaimsRequest,
  wanted: readonly T[],
  made: (one: T) => Promise<void>,
): Promise<void> {
  await forEachInFlight(wanted, request.inFlight, ({ volume }) => createSnapshot(request, volume));
  const byNamespace = Map.groupBy(wanted, ({ volume }) => volume.namespace);
  await Promise.all(
    byNamespace.entries().map(([namespace, here]) =>
      whenReady(request, namespace, here, async (one) => {
        await createClaim(request, one);
        await made(one);
      }),
    ),
  );
}

async function createSnapshot(
  { cluster, uuid, signal }: ClaimsRequest,
  { namespace, claim }: SavedVolume,
): Promise<void> {
  const name = nameFor(uuid, namespace, claim);
  const snapshot = {
    apiVersion: volumeSnapshots.apiVersion,
    kind: volumeSnapshots.kind,
    metadata: { name, labels: { [jobLabel]: uuid } },
    spec: { source: { volumeSnapshotContentName: name } },
  };
  await cluster.createOnce(volumeSnapshots, namespace, snapshot, signal);
}

/** Does something for each claim when its snapshot is ready. */
async function whenReady<T extends WantedClaim>(
  { cluster, uuid, timeoutMs, signal }: ClaimsRequest,
  namespace: string,
  wanted: readonly T[],
  work: (one: T) => Promise<void>,
): Promise<void> {
  const waiting = new Map(wanted.map((one) => [nameFor(uuid, namespace, one.volume.claim), one]));
  const complaints = new Map<string, string>();
  const begun: Promise<void>[] = [];
  const see = (snapshot: KubernetesObject) => {
    const { name } = snapshot.metadata;
    const one = waiting.get(name);
    const { readyToUse, error } = (snapshot["status"] ?? {}) as SnapshotStatus;
    if (error?.message !== undefined) complaints.set(name, error.message);
    if (!one || readyToUse !== true) return;
    waiting.delete(name);
    const task = work(one);
    task.catch(() => undefined); // it is met below
    begun.push(task);
  };
  const options = { labelSelector: `${jobLabel}=${uuid}` };
  const wait = { type: volumeSnapshots, namespace, options, timeoutMs, signal };
  try {
    await waitFor(cluster, wait, see, () => waiting.size === 0);
  } finally {
    await Promise.allSettled(begun);
  }
  await Promise.all(begun);
  if (waiting.size === 0) return;
  const late = [...waiting].map(([name, { volume }]) => {
    const reason = complaints.get(name);
    return reason === undefined ? volume.claim : `${volume.claim} (${reason})`;
  });
  throw new DrsError(
    "FAILED_PRECONDITION",
    `the snapshots of claims of ${namespace} were not ready within ${timeoutMs / 1000} s: ${late.join(", ")}; see the snapshot controller's log`,
  );
}

async function createClaim({ cluster, uuid, signal }: ClaimsRequest, { volume, claim }: WantedClaim): Promise<void> {
  const { namespace } = volume;
  const spec = claim["spec"] as ClaimSpec;
  const asked = spec.resources?.requests?.storage;
  const storage =
    volume.restoreSize !== null && bytesOf(asked) < BigInt(volume.restoreSize) ? String(volume.restoreSize) : asked;
  const filled = {
    ...claim,
    spec: {
      ...spec,
      resources: { ...spec.resources, requests: { ...spec.resources?.requests, storage } },
      dataSource: {
        apiGroup: "snapshot.storage.k8s.io",
        kind: volumeSnapshots.kind,
        name: nameFor(uuid, namespace, volume.claim),
      },
    },
  };
  await cluster.createOnce(persistentVolumeClaims, namespace, filled, signal);
}

/** Whether a claim is there, and was made by a restore to be filled. */
export function isFilledBy(uuid: string, claim?: KubernetesObject): boolean {
  if (!claim) return false;
  const { namespace = "", name } = claim.metadata;
  const { dataSource } = claim["spec"] as { dataSource?: { name?: string } };
  return dataSource?.name === nameFor(uuid, namespace, name);
}

/** Whether a claim is there and has its volume. */
export function isBound(claim?: KubernetesObject): boolean {
  return (claim?.["status"] as { phase?: string } | undefined)?.phase === "Bound";
}

/** Waits until claims are bound; gives those that are not in time, each with what the provisioner said of it last. */
export async function unboundClaims(
  { cluster, timeoutMs, signal }: ClaimsRequest,
  namespace: string,
  claims: ReadonlySet<string>,
): Promise<readonly string[]> {
  const bound = new Set<string>();
  const unbound = new Map<string, KubernetesObject>();
  const see = (claim: KubernetesObject) => {
    const { name } = claim.metadata;
    if (!claims.has(name)) return;
    if (isBound(claim)) bound.add(name);
    else unbound.set(name, claim);
  };
  const wait = { type: persistentVolumeClaims, namespace, timeoutMs, signal };
  await waitFor(cluster, wait, see, () => bound.size === claims.size);
  const late = [...claims].filter((name) => !bound.has(name));
  return Promise.all(
    late.map(async (name) => {
      const claim = unbound.get(name);
      const reason = claim && (await provisioningFailure(cluster, claim, signal));
      return reason === undefined ? name : `${name} (${reason})`;
    }),
  );
}

/** Removes what a restore made to fill claims; the snapshots stay in the storage. Works for those never used, too. */
export async function removeImportedSnapshots(request: ClaimsRequest, volumes: readonly SavedVolume[]): Promise<void> {
  const { uuid } = request;
  const snapshots = volumes.map(({ namespace, claim }) => {
    const name = nameFor(uuid, namespace, claim);
    return { namespace, name, content: name };
  });
  for (const [namespace, here] of Map.groupBy(snapshots, (snapshot) => snapshot.namespace))
    await unprotectSources(request, namespace, new Set(here.map(({ name }) => name)));
  await detachSnapshots(snapshots, request);
}

/**
 * Lets VolumeSnapshots go whose claims are bound or gone. The CSI provisioner holds one while it fills a claim from it, and
 * where that claim went before it was filled, until a sweep some minutes later, or for good.
 * https://github.com/kubernetes-csi/external-provisioner/blob/v6.4.0/pkg/controller/snapshot_finalizer_controller.go
 */
async function unprotectSources(
  { cluster, uuid, inFlight, signal }: ClaimsRequest,
  namespace: string,
  names: ReadonlySet<string>,
): Promise<void> {
  const ours = cluster.list(volumeSnapshots, namespace, signal, { labelSelector: `${jobLabel}=${uuid}` });
  await forEachInFlight(ours, inFlight, async (snapshot) => {
    if (!names.has(snapshot.metadata.name)) return;
    await removeFinalizer(cluster, volumeSnapshots, snapshot, sourceProtection, signal);
  });
}
