import type { SnapshotData } from "../../archive/format.ts";
import { DrsError } from "../../errors.ts";
import { persistentVolumeClaims, volumeSnapshots } from "../../kubernetes/built-in-kinds.ts";
import { attemptEach, failureOf, throwAll } from "../../kubernetes/attempts.ts";
import { removeFinalizer } from "../../kubernetes/finalizers.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { waitFor } from "../../kubernetes/waiting.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { detachSnapshots } from "./detach-snapshot.ts";
import { bytesOf } from "../quantity.ts";
import { nameFor, type SnapshotStatus } from "./snapshot-objects.ts";
import type { ClaimData, DataRequest, Filling } from "../volume-data.ts";

const sourceProtection = "provisioner.storage.kubernetes.io/volumesnapshot-as-source-protection";

interface ClaimSpec {
  storageClassName?: string;
  resources?: { requests?: { storage?: string } };
}

/**
 * Makes the VolumeSnapshots of imported contents (`importContents`), and of each the claim that is filled from it as soon as it
 * is ready: before that the provisioner would try in vain, and wait longer each time. `made` is called for each claim. May run again.
 *
 * FAILED_PRECONDITION names the claims whose snapshots do not get ready in time.
 */
export async function createClaimsFromSnapshots<One extends Filling<SnapshotData>>(
  request: DataRequest,
  claims: readonly One[],
  made: (one: One) => Promise<void>,
): Promise<void> {
  await forEachInFlight(claims, request.inFlight, (one) => createSnapshot(request, one));
  const byNamespace = Map.groupBy(claims, ({ namespace }) => namespace);
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
  { cluster, uuid, signal }: DataRequest,
  { namespace, claim }: ClaimData<SnapshotData>,
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
async function whenReady<One extends Filling<SnapshotData>>(
  { cluster, uuid, timeoutMs, signal }: DataRequest,
  namespace: string,
  wanted: readonly One[],
  work: (one: One) => Promise<void>,
): Promise<void> {
  const waiting = new Map(wanted.map((one) => [nameFor(uuid, namespace, one.claim), one]));
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
  const late = [...waiting].map(([name, { claim }]) => {
    const reason = complaints.get(name);
    return reason === undefined ? claim : `${claim} (${reason})`;
  });
  throw new DrsError(
    "FAILED_PRECONDITION",
    `the snapshots of claims of ${namespace} were not ready within ${timeoutMs / 1000} s: ${late.join(", ")}; see the snapshot controller's log`,
    { id: "DRS-R045" },
  );
}

async function createClaim(
  { cluster, uuid, signal }: DataRequest,
  { namespace, claim, data: { restoreSize }, object }: Filling<SnapshotData>,
): Promise<void> {
  const spec = object["spec"] as ClaimSpec;
  const asked = spec.resources?.requests?.storage;
  const storage = restoreSize !== null && bytesOf(asked) < BigInt(restoreSize) ? String(restoreSize) : asked;
  const filled = {
    ...object,
    spec: {
      ...spec,
      resources: { ...spec.resources, requests: { ...spec.resources?.requests, storage } },
      dataSource: {
        apiGroup: "snapshot.storage.k8s.io",
        kind: volumeSnapshots.kind,
        name: nameFor(uuid, namespace, claim),
      },
    },
  };
  await cluster.createOnce(persistentVolumeClaims, namespace, filled, signal);
}

/** Whether a claim was made to be filled from a snapshot, for this uuid. */
export function isFromSnapshot(uuid: string, claim: KubernetesObject): boolean {
  const { namespace = "", name } = claim.metadata;
  const { dataSource } = claim["spec"] as { dataSource?: { name?: string } };
  return dataSource?.name === nameFor(uuid, namespace, name);
}

/** Removes what a restore made to fill claims; the snapshots stay in the storage. Works for those never used, too. */
export async function removeImportedSnapshots(
  request: DataRequest,
  claims: readonly ClaimData<SnapshotData>[],
): Promise<void> {
  const { uuid } = request;
  const snapshots = claims.map(({ namespace, claim }) => {
    const name = nameFor(uuid, namespace, claim);
    return { namespace, name, content: name };
  });
  const protectedStill: DrsError[] = [];
  for (const [namespace, here] of Map.groupBy(snapshots, (snapshot) => snapshot.namespace))
    protectedStill.push(...(await unprotectSources(request, namespace, new Set(here.map(({ name }) => name)))));
  throwAll([...protectedStill, ...(await failureOf(() => detachSnapshots(snapshots, request)))]);
}

/**
 * Releases VolumeSnapshots whose claims are bound or gone. The CSI provisioner holds one while it fills a claim from it, and
 * where that claim went before it was filled, until a sweep some minutes later, or permanently. Returns the refused ones.
 * https://github.com/kubernetes-csi/external-provisioner/blob/v6.4.0/pkg/controller/snapshot_finalizer_controller.go
 */
async function unprotectSources(
  { cluster, uuid, inFlight, signal }: DataRequest,
  namespace: string,
  names: ReadonlySet<string>,
): Promise<readonly DrsError[]> {
  const ours = cluster.list(volumeSnapshots, namespace, signal, { labelSelector: `${jobLabel}=${uuid}` });
  const refused = await attemptEach(ours, inFlight, async (snapshot) => {
    if (!names.has(snapshot.metadata.name)) return;
    await removeFinalizer(cluster, volumeSnapshots, snapshot, sourceProtection, signal);
  });
  return [...refused.values()];
}
