import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { DiscoveredResource } from "../kubernetes/discovery.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import { type KubernetesObject, resourceName } from "../kubernetes/kubernetes-object.ts";
import type { ListOptions } from "../kubernetes/object-list.ts";
import { waitUntilGone } from "../kubernetes/waiting.ts";
import { isMadeByCluster, isMirrorPod, isSavedResource, rootCertificate } from "../objects/object-selection.ts";
import { deletionWaves } from "./restore-order.ts";

/**
 * Deletes everything in the namespaces but claims and users' own snapshots, dependents first. What a finalizer holds for
 * too long, as its controller is stopped, loses its finalizers, with a warning that names them. May run again.
 */
export async function deleteObjects(
  parts: JobParts,
  context: JobContext,
  namespaces: readonly string[],
): Promise<void> {
  const { resources } = await parts.cluster.discover(context.signal);
  for (const wave of deletionWaves(resources.filter(isSavedResource)))
    await Promise.all(
      wave.flatMap((resource) => namespaces.map((namespace) => deleteKind(parts, context, resource, namespace))),
    );
}

/** A wait that is longer than this is told in the log. */
const tellAfterMs = 2_000;

async function deleteKind(
  { cluster, limits }: JobParts,
  context: JobContext,
  resource: DiscoveredResource,
  namespace: string,
): Promise<void> {
  const { signal } = context;
  const count = await deleteAll(cluster, resource, namespace, limits.clusterConcurrency, signal);
  if (count === 0) return;
  // What has come since is not being deleted: it is somebody's who still runs, or the cluster's own.
  const isOurs = (object: KubernetesObject) =>
    object.metadata.deletionTimestamp !== undefined && !isMadeByCluster(resource, object);
  const wait = { type: resource, namespace, timeoutMs: limits.finalizerTimeout, signal };
  const soon = Math.min(tellAfterMs, wait.timeoutMs);
  const early = await waitUntilGone(cluster, { ...wait, timeoutMs: soon }, isOurs);
  if (early.length > 0) {
    const [{ metadata }] = early as [KubernetesObject];
    const example = `${metadata.name}, held by ${(metadata.finalizers ?? []).join(", ")}`;
    context.info(
      `${early.length} deleted ${resourceName(resource)} are still in ${namespace}, such as ${example}: waiting up to ${wait.timeoutMs / 1000} s`,
    );
  }
  const later = { ...wait, timeoutMs: wait.timeoutMs - soon };
  const left = early.length === 0 || later.timeoutMs === 0 ? early : await waitUntilGone(cluster, later, isOurs);
  await forEachInFlight(left, limits.clusterConcurrency, async ({ metadata: { name, finalizers = [] } }) => {
    // Told before, or a crash in between would leave it untold.
    context.warn(
      namespace,
      `${resource.kind} ${name} was held by ${finalizers.join(", ")} for ${limits.finalizerTimeout / 1000} s after its deletion: the finalizers were removed`,
    );
    await cluster.patch(resource, namespace, name, { metadata: { finalizers: null } }, signal);
  });
  if (left.length > 0) await waitUntilGone(cluster, wait, isOurs);
  context.info(`deleted ${count} ${resourceName(resource)} in ${namespace}`);
}

/** What the cluster has put there for itself stays. */
const allButItsOwn: Readonly<Record<string, ListOptions>> = {
  configmaps: { fieldSelector: `metadata.name!=${rootCertificate}` },
};

/**
 * The API server deletes the objects of a collection one after the other: few are deleted by one request, but many are gone
 * sooner one by one, many at once.
 */
const fewObjects = 50;

/** Asks for the deletion of all objects of a kind; gives how many there were. */
async function deleteAll(
  cluster: Cluster,
  resource: DiscoveredResource,
  namespace: string,
  inFlight: number,
  signal: AbortSignal,
): Promise<number> {
  const options = allButItsOwn[resourceName(resource)];
  const isPods = resourceName(resource) === "pods";
  const found = cluster.listMetadata(resource, namespace, signal, options);
  try {
    const first: KubernetesObject[] = [];
    for (let next = await found.next(); next.done !== true; next = await found.next())
      if (first.push(next.value) === fewObjects) break;
    if (!isPods && first.length < fewObjects && resource.verbs.includes("deletecollection"))
      return first.length === 0 ? 0 : await cluster.deleteCollection(resource, namespace, signal, options);
    let count = 0;
    await forEachInFlight(followedBy(first, found), inFlight, async (object) => {
      if (isPods && isMirrorPod(object)) return;
      await cluster.delete(resource, namespace, object.metadata.name, signal);
      count++;
    });
    return count;
  } catch (error) {
    if (hasStatus(error, 404, 405)) return 0; // a kind that has gone with its definition, or that cannot be deleted
    throw error;
  }
}

async function* followedBy<T>(first: readonly T[], rest: AsyncGenerator<T>): AsyncGenerator<T> {
  yield* first;
  yield* rest;
}
