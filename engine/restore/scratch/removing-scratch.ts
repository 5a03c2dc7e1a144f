import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import {
  isBuiltInGroup,
  persistentVolumeClaims,
  persistentVolumes,
  volumeSnapshotContents,
} from "../../kubernetes/built-in-kinds.ts";
import { failureOf, throwAll } from "../../kubernetes/attempts.ts";
import type { DiscoveredResource } from "../../kubernetes/discovery.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import { groupOf } from "../../kubernetes/kubernetes-object.ts";
import { waitUntilGone } from "../../kubernetes/waiting.ts";
import { namespaces as namespaceType } from "../../objects/entities.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { savedResources } from "../../objects/object-selection.ts";
import { detachSnapshots } from "../../volumes/snapshots/detach-snapshot.ts";
import { notTerminating, retriedWithinMs } from "../objects/namespaces.ts";
import { isOf } from "./scratch-namespaces.ts";

/** The objects created by a scratch restore. */
export interface Scratch {
  /** The restore's. */
  readonly uuid: string;
  readonly namespaces: readonly string[];
}

/** Where it is noted which namespaces go, and when they were made: their volumes go after them. */
const namespaceNotes = "scratch/namespace/";

/**
 * Removes what a scratch restore has made, to the last trace: the namespaces that have its label, the volumes of their claims,
 * with their data, and the remaining objects of their snapshots; the snapshots stay. Custom resources lose their finalizers
 * first, as what their controllers would tear down may be production's. May run again. FAILED_PRECONDITION names what does not go;
 * snapshot objects that the cluster does not let be deleted keep nothing else.
 */
export async function removeScratch(deps: JobDeps, context: JobContext, scratch: Scratch): Promise<void> {
  const { cluster, limits } = deps;
  const { signal, info } = context;
  const { uuid } = scratch;
  const present: string[] = [];
  for (const name of scratch.namespaces) {
    const namespace = await cluster.get(namespaceType, "", name, signal);
    if (!namespace || !isOf(uuid, namespace)) continue;
    context.notes.set(namespaceNotes + name, namespace.metadata["creationTimestamp"]);
    present.push(name);
  }
  const noted = [...context.notes.entries<string>(namespaceNotes)];
  const made = new Map(noted.map(([key, time]) => [key.slice(namespaceNotes.length), time]));
  const held = await failureOf(() => removeContents(deps, context, uuid));
  await releaseCustomResources(deps, context, present);
  for (const name of present) await cluster.delete(namespaceType, "", name, signal);
  for (const name of present) await gone(deps, context, name);
  const volumes = await volumesOfClaimsIn(deps, context, made);
  const wait = { type: persistentVolumes, namespace: "", timeoutMs: limits.snapshotTimeout, signal };
  const left = volumes.size === 0 ? [] : await waitUntilGone(cluster, wait, (it) => volumes.has(it.metadata.name));
  const names = left.map(({ metadata }) => metadata.name).join(", ");
  throwAll(held);
  if (left.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `volumes of the scratch restore are still there: ${names}; see the CSI driver's log`,
      { id: "DRS-R030" },
    );
  info(
    `removed ${[...made.keys()].join(", ") || "nothing, as nothing was there"}${volumes.size > 0 ? `, and ${volumes.size} volumes` : ""}`,
  );
}

async function removeContents({ cluster, limits }: JobDeps, { signal }: JobContext, uuid: string): Promise<void> {
  const snapshots = [];
  const options = { labelSelector: `${jobLabel}=${uuid}` };
  for await (const content of cluster.list(volumeSnapshotContents, "", signal, options)) {
    const { namespace, name } = (content["spec"] as { volumeSnapshotRef: { namespace: string; name: string } })
      .volumeSnapshotRef;
    snapshots.push({ namespace, name, content: content.metadata.name });
  }
  const { snapshotTimeout: timeoutMs, clusterConcurrency: inFlight } = limits;
  if (snapshots.length > 0) await detachSnapshots(snapshots, { cluster, uuid, timeoutMs, inFlight, signal });
}

interface ClaimRef {
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
}

/** The volumes that were provisioned for claims of the namespaces since these were created; each is set to Delete, as its claim has gone. */
async function volumesOfClaimsIn(
  { cluster }: JobDeps,
  { signal }: JobContext,
  made: ReadonlyMap<string, string>,
): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  if (made.size === 0) return names;
  for await (const volume of cluster.list(persistentVolumes, "", signal)) {
    const { name, creationTimestamp } = volume.metadata;
    const { namespace = "", name: claim = "", uid } = (volume["spec"] as { claimRef?: ClaimRef }).claimRef ?? {};
    const since = made.get(namespace);
    if (since === undefined || Date.parse(String(creationTimestamp)) < Date.parse(since)) continue;
    const live = await cluster.get(persistentVolumeClaims, namespace, claim, signal);
    if (live && live.metadata.uid === uid) continue; // of a namespace that somebody has made since
    names.add(name);
    const policy = { spec: { persistentVolumeReclaimPolicy: "Delete" } };
    await cluster.patch(persistentVolumes, "", name, policy, signal);
  }
  return names;
}

async function releaseCustomResources(
  { cluster, limits }: JobDeps,
  context: JobContext,
  namespaces: readonly string[],
): Promise<void> {
  const discovery = await cluster.discover(context.signal);
  const kinds = savedResources(discovery, namespaces).filter(({ apiVersion }) => !isBuiltInGroup(groupOf(apiVersion)));
  for (const namespace of namespaces)
    await forEachInFlight(kinds, limits.clusterConcurrency, async (kind) => {
      await takeFinalizers({ cluster, limits }, context, kind, namespace);
    });
}

async function takeFinalizers(
  { cluster, limits }: Pick<JobDeps, "cluster" | "limits">,
  { signal }: JobContext,
  kind: DiscoveredResource,
  namespace: string,
): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    const found = cluster.listMetadata(kind, namespace, signal);
    await forEachInFlight(found, limits.clusterConcurrency, async ({ metadata: { name, finalizers = [] } }) => {
      if (finalizers.length === 0) return;
      names.push(`${kind.kind} ${name} (${finalizers.join(", ")})`);
      await cluster.patch(kind, namespace, name, { metadata: { finalizers: null } }, signal);
    });
  } catch (error) {
    if (!hasStatus(error, 404, 405)) throw error;
  }
  return names;
}

/**
 * Waits until a namespace is gone, for as long as its pods may take to stop and finalizers to be removed. Objects that have some even
 * then, except claims that pods use, lose them with a warning.
 */
async function gone(deps: JobDeps, context: JobContext, name: string): Promise<void> {
  const { cluster, limits } = deps;
  const patience = limits.podsStopTimeout + limits.finalizerTimeout;
  const wait = (finalizerTimeout: number) =>
    notTerminating({ cluster, limits: { ...limits, finalizerTimeout } }, context, [], name);
  try {
    await wait(patience);
  } catch (error) {
    if (!(error instanceof DrsError) || error.code !== "FAILED_PRECONDITION") throw error;
    const discovery = await cluster.discover(context.signal);
    const taken: string[] = [];
    for (const kind of savedResources(discovery, [name]))
      if (kind.resource !== persistentVolumeClaims.resource)
        taken.push(...(await takeFinalizers(deps, context, kind, name)));
    if (taken.length > 0)
      context.warn(
        "DRS-R029",
        name,
        `the scratch namespace was held: finalizers were removed from ${taken.join(", ")}`,
      );
    await wait(patience + retriedWithinMs);
  }
}
