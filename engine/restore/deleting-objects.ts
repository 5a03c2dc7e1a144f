import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { DiscoveredResource } from "../kubernetes/discovery.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import { type KubernetesObject, resourceName } from "../kubernetes/kubernetes-object.ts";
import type { ListOptions } from "../kubernetes/object-list.ts";
import { waitUntilGone } from "../kubernetes/waiting.ts";
import {
  isMadeByCluster,
  isMirrorPod,
  isSavedResource,
  ownRightsLabel,
  rootCertificate,
} from "../objects/object-selection.ts";
import { occupiedKinds } from "../objects/occupied-kinds.ts";
import { listed } from "./listed.ts";
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
  const { cluster, limits } = parts;
  const { signal } = context;
  const { resources } = await cluster.discover(signal);
  const inFlight = limits.clusterConcurrency;
  const kinds = await occupiedKinds(cluster, resources.filter(isSavedResource), namespaces, inFlight, signal);
  // Of many namespaces each one's collection is deleted whole; of few, what there is much of is deleted one by one.
  const oneByOne = namespaces.length < manyCollections ? fewObjects : Number.POSITIVE_INFINITY;
  for (const wave of deletionWaves(kinds)) {
    const collections = wave.flatMap((resource) => namespaces.map((namespace) => ({ resource, namespace })));
    await forEachInFlight(collections, inFlight, ({ resource, namespace }) =>
      deleteKind(parts, context, resource, namespace, oneByOne),
    );
  }
}

/**
 * The API server deletes the objects of a collection one after the other: few of them are deleted by one request, but many
 * are gone sooner one by one, many at once; unless there are so many collections that they keep it busy.
 */
const fewObjects = 50;
const manyCollections = 8;

/** A wait that is longer than this is told in the log. */
const tellAfterMs = 2_000;

async function deleteKind(
  { cluster, limits }: JobParts,
  context: JobContext,
  resource: DiscoveredResource,
  namespace: string,
  oneByOne: number,
): Promise<void> {
  const { signal } = context;
  const count = await deleteAll(cluster, resource, namespace, limits.clusterConcurrency, oneByOne, signal);
  if (count === 0) return;
  // What has come since is not being deleted: it is somebody's who still runs, or the cluster's own.
  const isOurs = (object: KubernetesObject) =>
    object.metadata.deletionTimestamp !== undefined && !isMadeByCluster(resource, object);
  const wait = { type: resource, namespace, timeoutMs: limits.finalizerTimeout, signal };
  const soon = Math.min(tellAfterMs, wait.timeoutMs);
  const early = await waitUntilGone(cluster, { ...wait, timeoutMs: soon }, isOurs);
  if (early.length > 0) {
    const [{ metadata }] = early as [KubernetesObject];
    const example = `${metadata.name}, held by ${metadata.finalizers?.join(", ") ?? "nothing but its time to end"}`;
    context.info(
      `${early.length} deleted ${resourceName(resource)} are still in ${namespace}, such as ${example}: waiting up to ${wait.timeoutMs / 1000} s`,
    );
  }
  const later = { ...wait, timeoutMs: wait.timeoutMs - soon };
  const left = early.length === 0 || later.timeoutMs === 0 ? early : await waitUntilGone(cluster, later, isOurs);
  const held = left.filter(({ metadata: { finalizers = [] } }) => finalizers.length > 0);
  await forEachInFlight(held, limits.clusterConcurrency, async ({ metadata: { name, finalizers = [] } }) => {
    // Told before, or a crash in between would leave it untold.
    context.warn(
      namespace,
      `${resource.kind} ${name} was held by ${finalizers.join(", ")} for ${limits.finalizerTimeout / 1000} s after its deletion: the finalizers were removed`,
    );
    await cluster.patch(resource, namespace, name, { metadata: { finalizers: null } }, signal);
  });
  const stuck = left.length === 0 ? [] : await waitUntilGone(cluster, wait, isOurs);
  if (stuck.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `${resourceName(resource)} of ${namespace} are still there, though nothing holds them: ${listed(stuck.map(({ metadata }) => metadata.name))}; see what the API server's log says of them`,
    );
  context.info(`deleted ${count} ${resourceName(resource)} in ${namespace}`);
}

/** What the cluster has put there for itself stays, and what gives the service its rights. */
const butThese: Readonly<Record<string, ListOptions>> = {
  configmaps: { fieldSelector: `metadata.name!=${rootCertificate}` },
  "rolebindings.rbac.authorization.k8s.io": { labelSelector: `!${ownRightsLabel}` },
};

/** Asks for the deletion of all objects of a kind, each by itself from `oneByOne` on; gives how many there were. */
async function deleteAll(
  cluster: Cluster,
  resource: DiscoveredResource,
  namespace: string,
  inFlight: number,
  oneByOne: number,
  signal: AbortSignal,
): Promise<number> {
  const options = butThese[resourceName(resource)];
  const isPods = resourceName(resource) === "pods";
  const found = cluster.listMetadata(resource, namespace, signal, options);
  try {
    const first: KubernetesObject[] = [];
    for (let next = await found.next(); next.done !== true; next = await found.next()) {
      first.push(next.value);
      if (first.length === Math.min(oneByOne, fewObjects)) break;
    }
    if (first.length === 0) return 0;
    if (!isPods && first.length < oneByOne && resource.verbs.includes("deletecollection")) {
      await found.return(undefined); // its page need not wait
      return await cluster.deleteCollection(resource, namespace, signal, options);
    }
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
  } finally {
    await found.return(undefined);
  }
}

async function* followedBy<T>(first: readonly T[], rest: AsyncGenerator<T>): AsyncGenerator<T> {
  yield* first;
  yield* rest;
}
