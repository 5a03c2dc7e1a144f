import type { SavedVolume } from "../../archive/format.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { waitFor } from "../../kubernetes/waiting.ts";
import { clusterNodes, nodesForVolume } from "../../volumes/nodes-for-volume.ts";
import { provisioningFailure } from "../../volumes/provisioning-failure.ts";
import { unconsumedClaims } from "./unconsumed-claims.ts";
import { retainedVolumes } from "./retained-volumes.ts";
import { refusalOf } from "../objects/object-restorer.ts";
import { isReady } from "../../kinds/readiness.ts";
import { objectsOf, partsOf, type RestoreSource, volumesOf } from "../source/restore-source.ts";
import { classFor, driverFor } from "../../volumes/saved-data.ts";
import { existingClasses } from "../../volumes/storage-classes.ts";

/**
 * By this annotation the scheduler has a volume made for a claim of a pod that it has a node for. The provisioner takes it
 * away when it cannot make one there, and another node may be selected.
 * https://github.com/kubernetes-sigs/sig-storage-lib-external-provisioner/blob/v13.1.0/controller/controller.go
 */
const selectedNode = "volume.kubernetes.io/selected-node";

/**
 * Has the volumes made of those claims that wait for a pod which is not there: without them the backup's snapshots would stay
 * the only place of their data. A node is selected as the scheduler would; claims that pods use are left to it. A claim that
 * gets no volume in time is a warning that says why. To be called when the applications are up; may run again. Returns how many
 * there were.
 */
export async function bindUnconsumedClaims(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<number> {
  const { cluster, limits } = deps;
  const { signal } = context;
  const unconsumed = await unconsumedVolumes(source, cluster, signal);
  if (unconsumed.length === 0) return 0;
  const nodes = await clusterNodes(cluster, signal);
  const classes = await existingClasses(cluster, signal);
  const formerVolumes = await savedVolumes(source, unconsumed, signal);
  await forEachInFlight(unconsumed, limits.clusterConcurrency, async (volume) => {
    const { namespace, claim, persistentVolume } = volume;
    const storageClass = classFor(volume, classes);
    const driver = driverFor(volume) ?? String(storageClass?.["provisioner"]);
    const formerVolume = formerVolumes.get(persistentVolume);
    const candidates = nodesForVolume(nodes, { driver, storageClass, formerVolume });
    const reason = await whyNotBound(deps, context, volume, driver, candidates);
    if (reason === undefined) context.info(`claim ${namespace}/${claim}, which no pod uses, has its volume`);
    else
      context.warn(
        "DRS-R067",
        namespace,
        `claim ${claim} has no volume yet, and no pod uses it: ${reason}.${whereFormerData(context, volume)} Until it is bound, its data is in the backup's snapshot only: keep the backup`,
      );
  });
  return unconsumed.length;
}

/** The claim's data from before this restore is retained as long as it has no volume. */
function whereFormerData(context: JobContext, { namespace, claim }: SavedVolume): string {
  const former = retainedVolumes(context).find(
    (retained) => retained.namespace === namespace && retained.claim === claim,
  );
  return former ? ` Its former data is on volume ${former.persistentVolume}, kept by the policy Retain.` : "";
}

async function unconsumedVolumes(
  source: RestoreSource,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<readonly SavedVolume[]> {
  const unconsumed: SavedVolume[] = [];
  for (const namespace of source.targetNamespaces) {
    const names = await unconsumedClaims(cluster, namespace, signal);
    unconsumed.push(...volumesOf(source).filter((volume) => volume.namespace === namespace && names.has(volume.claim)));
  }
  return unconsumed;
}

async function savedVolumes(
  source: RestoreSource,
  wanted: readonly SavedVolume[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, KubernetesObject>> {
  const names = new Set(wanted.map(({ persistentVolume }) => persistentVolume));
  const found = new Map<string, KubernetesObject>();
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumes"]), signal))
    if (names.has(object.metadata.name)) found.set(object.metadata.name, object);
  return found;
}

/** Selects one node after the other until the claim is bound; else gives the reason. May run again. */
export async function whyNotBound(
  { cluster, limits }: JobDeps,
  { signal }: JobContext,
  { namespace, claim: name }: Pick<SavedVolume, "namespace" | "claim">,
  driver: string,
  candidates: readonly string[],
): Promise<string | undefined> {
  const limit = Date.now() + limits.snapshotTimeout;
  const left = [...candidates];
  let reason = `the cluster has no ready and schedulable node for a volume of driver ${driver}`;
  for (;;) {
    const claim = await cluster.get(persistentVolumeClaims, namespace, name, signal);
    if (!claim) return "it has been deleted meanwhile";
    if (isReady(persistentVolumeClaims, claim)) return undefined;
    // An earlier run's selection, or for a pod that has come since the scheduler's, is not to be changed while it counts.
    const node = selectionOf(claim) ?? left.shift();
    if (node === undefined) return reason;
    try {
      await select(cluster, claim, node, signal);
    } catch (error) {
      if (!hasStatus(error, 409) || Date.now() >= limit) return refusalOf(error);
      left.unshift(node);
      continue;
    }
    const outcome = await outcomeOf(cluster, claim, Math.max(limit - Date.now(), 0), signal);
    if (outcome === "bound") return undefined;
    const answer = await provisioningFailure(cluster, claim, signal);
    reason = `driver ${driver} has made none for node ${node}${answer === undefined ? "" : `: ${answer}`}`;
    if (outcome === "late") return reason;
  }
}

function selectionOf({ metadata }: KubernetesObject): string | undefined {
  return metadata.annotations?.[selectedNode];
}

/** A conflict (409) when the claim is not as it was seen. */
async function select(cluster: Cluster, claim: KubernetesObject, node: string, signal: AbortSignal): Promise<void> {
  if (selectionOf(claim) === node) return;
  const { namespace = "", name, resourceVersion } = claim.metadata;
  const patch = { metadata: { resourceVersion, annotations: { [selectedNode]: node } } };
  await cluster.patch(persistentVolumeClaims, namespace, name, patch, signal);
}

/**
 * The outcome for a claim with a selected node. A late one keeps its selection: the driver may still be creating the volume,
 * and only it can know.
 */
async function outcomeOf(
  cluster: Cluster,
  { metadata: { namespace = "", name } }: KubernetesObject,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<"bound" | "refused" | "late"> {
  let outcome: "bound" | "refused" | "late" = "late";
  const see = (claim: KubernetesObject, gone: boolean) => {
    if (gone) return;
    if (isReady(persistentVolumeClaims, claim)) outcome = "bound";
    else outcome = selectionOf(claim) === undefined ? "refused" : "late";
  };
  const options = { fieldSelector: `metadata.name=${name}` };
  const wait = { type: persistentVolumeClaims, namespace, options, timeoutMs, signal };
  await waitFor(cluster, wait, see, () => outcome !== "late");
  return outcome;
}
