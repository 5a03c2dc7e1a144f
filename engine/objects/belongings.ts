import { rulesOf } from "../kinds/kinds.ts";
import type { FurtherObjects } from "../config.ts";
import { DrsError } from "../errors.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { DiscoveredResource } from "../kubernetes/discovery.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { rightsOn } from "../kubernetes/rights.ts";
import { verbsOfNeeds } from "./cluster-scoped-needs.ts";

/** Whether objects of a kind may belong to a control plane though nothing in its namespaces names them. */
export function mayBelong(type: ResourceType): boolean {
  return !type.namespaced && rulesOf(type).isOfCluster !== true;
}

/** Helm puts the label on whatever it installs. https://helm.sh/docs/chart_best_practices/labels/ */
const helmLabel = "app.kubernetes.io/managed-by";

/** Whether a Helm release in one of these namespaces has installed an object. */
export function isOfRelease(namespaces: ReadonlySet<string>, { metadata }: KubernetesObject): boolean {
  const { labels = {}, annotations = {} } = metadata;
  return labels[helmLabel] === "Helm" && namespaces.has(annotations["meta.helm.sh/release-namespace"] ?? "");
}

export interface BelongingsRequest {
  readonly cluster: Cluster;
  /** The kinds that the cluster serves. */
  readonly resources: readonly DiscoveredResource[];
  readonly namespaces: readonly string[];
  readonly further: readonly FurtherObjects[];
  readonly inFlight: number;
  readonly signal: AbortSignal;
}

export interface Belongings {
  readonly objects: readonly { readonly type: ResourceType; readonly name: string }[];
  /** The kinds that the service may not look through. */
  readonly unread: readonly string[];
  /** Missing objects that were requested by name. */
  readonly missing: readonly string[];
}

/**
 * The cluster-scoped objects that Helm releases in some namespaces have installed, and further ones that are asked for. Of
 * each kind the labels are asked for, so that the whole costs little more than a request a kind.
 */
export async function findBelongings(request: BelongingsRequest): Promise<Belongings> {
  const { cluster, resources, further, inFlight, signal } = request;
  const namespaces = new Set(request.namespaces);
  const kinds = resources.filter((kind) => mayBelong(kind) && canBeMadeAgain(kind));
  const objects = new Map<string, { readonly type: ResourceType; readonly name: string }>();
  const unread: string[] = [];
  const missing = further
    .filter(({ resource }) => resource !== "*" && !kinds.some((kind) => resourceName(kind) === resource))
    .map(({ resource }) => resource);
  const mayDoAll = await cluster.isAllowed({ verb: "*", group: "*", resource: "*", namespace: "" }, signal);
  await forEachInFlight(kinds, inFlight, async (type) => {
    const kind = resourceName(type);
    const wanted = further.filter(({ resource }) => resource === kind || resource === "*");
    const add = ({ metadata: { name } }: KubernetesObject) => objects.set(`${kind}/${name}`, { type, name });
    const mayRead = mayDoAll || kind in verbsOfNeeds || (await isReadable(cluster, type, signal));
    if (!mayRead) {
      unread.push(kind);
      return;
    }
    const look = (labelSelector?: string) =>
      cluster.listMetadata(type, "", signal, { ...(labelSelector !== undefined && { labelSelector }) });
    try {
      for await (const object of look(`${helmLabel}=Helm`)) if (isOfRelease(namespaces, object)) add(object);
      for (const { label, name } of wanted) {
        let isThere = false;
        for await (const object of look(label))
          if (name === undefined || object.metadata.name === name) {
            isThere = true;
            add(object);
          }
        if (name !== undefined && !isThere) missing.push(`${kind}/${name}`);
      }
    } catch (error) {
      // One that has gone meanwhile, cannot be listed after all, or is served by an API that is down.
      if (!(error instanceof DrsError) || error.code === "UNAVAILABLE") throw error;
      unread.push(kind);
    }
  });
  return { objects: [...objects.values()], unread: unread.sort(), missing: missing.sort() };
}

const neededVerbs = ["list", "get", "create", "delete"];

function canBeMadeAgain({ verbs }: DiscoveredResource): boolean {
  return neededVerbs.every((verb) => verbs.includes(verb));
}

async function isReadable(cluster: Cluster, type: ResourceType, signal: AbortSignal): Promise<boolean> {
  for (const right of rightsOn(type, ["list", "get"], "")) if (!(await cluster.isAllowed(right, signal))) return false;
  return true;
}
