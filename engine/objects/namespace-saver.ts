import { DrsError } from "../errors.ts";
import type { ArchiveWriter } from "../archive/archive-writer.ts";
import type { Part } from "../archive/format.ts";
import type { Line } from "../archive/line-batches.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { DiscoveredResource, Discovery } from "../kubernetes/discovery.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { hasStatus, isUnconverted, type KubernetesError } from "../kubernetes/kubernetes-error.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { typeMeta } from "../kubernetes/raw-object.ts";
import { readAhead } from "./read-ahead.ts";
import { ClusterScopedNeeds, type MissingObject, type SavableObject } from "./cluster-scoped-needs.ts";
import { rulesOf } from "../kinds/kinds.ts";
import { namespaces as namespaceType } from "./entities.ts";
import { isGoing, isMadeByCluster, isSavedObject, savedResources, isUnselecting } from "./object-selection.ts";
import { occupiedKinds } from "./occupied-kinds.ts";

/** Each kind that is being saved holds a compressor and an upload. */
const kindsAtOnce = 12;
/** Namespaces of a kind read ahead of their turn, as most namespaces have few objects of most kinds. */
const namespacesAhead = 3;
/** Of the namespaces themselves, which are asked for one by one. */
const getsAhead = 8;

export interface SavingRequest {
  readonly cluster: Cluster;
  readonly discovery: Discovery;
  readonly writer: ArchiveWriter;
  readonly namespaces: readonly string[];
  /** Cluster-scoped objects that are saved whether these need them or not. */
  readonly further?: AsyncIterable<{ readonly type: ResourceType; readonly object: KubernetesObject }>;
  readonly signal: AbortSignal;
  /** Called for every object in the namespaces, whether it is saved or not, with its own bytes. */
  readonly onListed?: (type: DiscoveredResource, namespace: string, bytes: Buffer) => void;
  /** Called for every saved object in the namespaces. */
  readonly onObject?: (type: ResourceType, object: KubernetesObject) => void;
  /** Called after each kind, for the log. */
  readonly onPart: (part: Part) => void;
  /** Called for each object that is left out because the cluster makes it itself. */
  readonly onLeftOut?: (type: ResourceType) => void;
  /** Called for each object that is left out because it is being deleted. */
  readonly onGoing?: (type: ResourceType, object: KubernetesObject) => void;
  /** Called for each cluster-scoped object that is not there, though one of these names it. */
  readonly onMissing?: (missing: MissingObject) => void;
}

/**
 * Saves the objects of some namespaces, and the cluster-scoped ones that these need, each kind as a part of an archive.
 * The archive has no manifest yet, so it may be done again from the start. A namespace that does not exist has nothing.
 */
export async function saveNamespaces(request: SavingRequest): Promise<readonly Part[]> {
  const { cluster, discovery, writer, namespaces, signal } = request;
  const needs = new ClusterScopedNeeds(namespaces);
  const parts: Part[] = [];
  const save = async (type: ResourceType, objects: AsyncIterable<SavableObject>) => {
    const part = await writer.writePart(describe(type), linesOf(type, objects), signal);
    if (!part) return;
    parts.push(part);
    request.onPart(part);
  };
  await save(namespaceType, existingNamespaces(cluster, namespaces, signal));
  const kinds = await occupiedKinds(cluster, savedResources(discovery, namespaces), namespaces, kindsAtOnce, signal);
  const unselecting = new Set<string>();
  const saveKind = (kind: DiscoveredResource) => save(kind, savedObjects(request, kind, { needs, unselecting }));
  // Services first: which endpoints are the cluster's depends on them.
  for (const services of kinds.filter(isService)) await saveKind(services);
  await forEachInFlight(
    kinds.filter((kind) => !isService(kind)),
    kindsAtOnce,
    saveKind,
  );
  for await (const { type, object } of request.further ?? []) needs.add(resourceName(type), object.metadata.name);
  for await (const [type, objects] of needs.kinds(cluster, discovery, signal)) await save(type, objects);
  for (const missing of needs.missing()) request.onMissing?.(missing);
  return parts.sort((a, b) => (a.file < b.file ? -1 : 1));
}

function existingNamespaces(
  cluster: Cluster,
  namespaces: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<SavableObject> {
  return readAhead(
    Iterator.from(namespaces).map((name) => existingNamespace(cluster, name, signal)),
    getsAhead,
  );
}

async function* existingNamespace(cluster: Cluster, name: string, signal: AbortSignal): AsyncGenerator<SavableObject> {
  const bytes = await cluster.getRaw(namespaceType, "", name, signal);
  if (bytes) yield { bytes, object: JSON.parse(bytes.toString()) as KubernetesObject };
}

function isService(kind: DiscoveredResource): boolean {
  return rulesOf(kind).leavesEndpoints !== undefined;
}

/** Observers of the objects as they are saved. */
interface Learnt {
  readonly needs: ClusterScopedNeeds;
  /** Services without a selector; see `isSavedObject`. */
  readonly unselecting: Set<string>;
}

function savedObjects(
  request: SavingRequest,
  resource: DiscoveredResource,
  learnt: Learnt,
): AsyncGenerator<SavableObject> {
  return readAhead(
    Iterator.from(request.namespaces).map((namespace) => savedObjectsIn(namespace, request, resource, learnt)),
    namespacesAhead,
  );
}

async function* savedObjectsIn(
  namespace: string,
  { cluster, signal, onListed, onGoing, onLeftOut, onObject }: SavingRequest,
  resource: DiscoveredResource,
  { needs, unselecting }: Learnt,
): AsyncGenerator<SavableObject> {
  try {
    for await (const page of cluster.listRaw(resource, namespace, signal))
      for (const bytes of page) {
        onListed?.(resource, namespace, bytes);
        const object = JSON.parse(bytes.toString()) as KubernetesObject;
        if (isGoing(resource, object) && !isMadeByCluster(resource, object)) onGoing?.(resource, object);
        if (!isSavedObject(resource, object, unselecting)) {
          if (isMadeByCluster(resource, object)) onLeftOut?.(resource);
          continue;
        }
        if (isUnselecting(resource, object)) unselecting.add(`${namespace}/${object.metadata.name}`);
        needs.note(resource, object);
        onObject?.(resource, object);
        yield { bytes, object };
      }
  } catch (error) {
    // A kind that has gone since discovery, or that says it can list and cannot.
    if (hasStatus(error, 404, 405)) return;
    if (!isUnconverted(error)) throw error;
    throw unreadable(resource, namespace, error);
  }
}

/** That the objects of a kind can be read when what converts them answers again. */
export function unreadable(kind: ResourceType, namespace: string, error: KubernetesError): DrsError {
  return new DrsError(
    "FAILED_PRECONDITION",
    `${resourceName(kind)} of ${namespace} cannot be read: ${error.detail}; start the webhook that converts them, or see ` +
      '"A converter that is down" in docs/operations.md',
    { id: "DRS-J012", cause: error },
  );
}

/** Items of a list do not say their kind; a line of an archive does. Nothing else of the bytes is touched. */
async function* linesOf(type: ResourceType, objects: AsyncIterable<SavableObject>): AsyncGenerator<Line> {
  const start = typeMeta(type);
  for await (const { bytes, object } of objects) yield object.kind === undefined ? [start, bytes.subarray(1)] : bytes;
}

function describe({ apiVersion, kind, resource, namespaced }: ResourceType): ResourceType {
  return { apiVersion, kind, resource, namespaced };
}
