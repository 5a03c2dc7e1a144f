import { csiNodes, nodes } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";

/** The nodes of a cluster, and which CSI drivers run on each, as far as they have a part that runs on nodes. */
export interface ClusterNodes {
  readonly nodes: readonly KubernetesObject[];
  readonly driversByNode: ReadonlyMap<string, ReadonlySet<string>>;
}

export async function clusterNodes(cluster: Cluster, signal: AbortSignal): Promise<ClusterNodes> {
  const driversByNode = new Map<string, ReadonlySet<string>>();
  for await (const { metadata, ...csiNode } of cluster.list(csiNodes, "", signal)) {
    const { drivers } = csiNode["spec"] as { drivers: readonly { name: string }[] | null };
    driversByNode.set(metadata.name, new Set((drivers ?? []).map(({ name }) => name)));
  }
  const all: KubernetesObject[] = [];
  for await (const node of cluster.list(nodes, "", signal)) all.push(node);
  return { nodes: all, driversByNode };
}

interface Requirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
  readonly values?: readonly string[];
}
interface Term {
  readonly matchExpressions?: readonly Requirement[];
  /** Of the node's name. */
  readonly matchFields?: readonly Requirement[];
}

export interface VolumeWish {
  readonly driver: string;
  readonly storageClass: KubernetesObject | undefined;
  /** The volume that the new one takes the place of. */
  readonly formerVolume: KubernetesObject | undefined;
}

/**
 * The names of the nodes for which a volume may be made, the best first. They are ready, take pods, run the driver and are
 * admitted by the class: what the scheduler asks of a node before it selects it for a claim. Of those, where the former volume
 * could be used; a cluster that has no such place at all is another one, and the volume may be anywhere. Nodes with taints,
 * which not every pod tolerates, come last.
 * https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
 */
export function nodesForVolume(
  { nodes, driversByNode }: ClusterNodes,
  { driver, storageClass, formerVolume }: VolumeWish,
): readonly string[] {
  const near = nodes.filter((node) => matchesAny(affinityOf(formerVolume), node));
  const places = near.length > 0 ? near : nodes;
  const allowed = allowedTerms(storageClass);
  const runsOnNodes = [...driversByNode.values()].some((drivers) => drivers.has(driver));
  const usable = places.filter(
    (node) =>
      isReady(node) &&
      (!runsOnNodes || driversByNode.get(node.metadata.name)?.has(driver) === true) &&
      (allowed.length === 0 || matchesAny(allowed, node)),
  );
  return [...usable.filter((node) => !isTainted(node)), ...usable.filter(isTainted)].map(
    ({ metadata }) => metadata.name,
  );
}

/** Whether a volume can be used anywhere, or the cluster has a node where it could. */
export function hasNodeFor({ nodes }: Pick<ClusterNodes, "nodes">, volume: KubernetesObject): boolean {
  const terms = affinityOf(volume);
  return terms.length === 0 || nodes.some((node) => matchesAny(terms, node));
}

interface NodeSpec {
  unschedulable?: boolean;
  taints?: { effect: string }[];
}

function isReady(node: KubernetesObject): boolean {
  const { conditions = [] } = (node["status"] ?? {}) as { conditions?: { type: string; status: string }[] };
  const isUp = conditions.some(({ type, status }) => type === "Ready" && status === "True");
  return isUp && (node["spec"] as NodeSpec | undefined)?.unschedulable !== true;
}

function isTainted(node: KubernetesObject): boolean {
  const { taints = [] } = (node["spec"] ?? {}) as NodeSpec;
  return taints.some(({ effect }) => effect !== "PreferNoSchedule");
}

/** https://kubernetes.io/docs/concepts/storage/persistent-volumes/#node-affinity */
function affinityOf(volume: KubernetesObject | undefined): readonly Term[] {
  const { nodeAffinity } = (volume?.["spec"] ?? {}) as {
    nodeAffinity?: { required?: { nodeSelectorTerms: readonly Term[] } };
  };
  return nodeAffinity?.required?.nodeSelectorTerms ?? [];
}

/** https://kubernetes.io/docs/concepts/storage/storage-classes/#allowed-topologies */
function allowedTerms(storageClass: KubernetesObject | undefined): readonly Term[] {
  const topologies = (storageClass?.["allowedTopologies"] ?? []) as {
    matchLabelExpressions?: { key: string; values: string[] }[];
  }[];
  return topologies.map(({ matchLabelExpressions = [] }) => ({
    matchExpressions: matchLabelExpressions.map(({ key, values }) => ({ key, operator: "In", values })),
  }));
}

function matchesAny(terms: readonly Term[], { metadata }: KubernetesObject): boolean {
  return terms.some(({ matchExpressions = [], matchFields = [] }) => {
    if (matchExpressions.length + matchFields.length === 0) return false; // an empty term selects nothing
    const labels = metadata.labels ?? {};
    return (
      matchExpressions.every((requirement) => isMet(requirement, labels[requirement.key])) &&
      matchFields.every((requirement) => isMet(requirement, metadata.name))
    );
  });
}

function isMet({ operator, values = [] }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return Number(value) > Number(values[0]);
    case "Lt":
      return Number(value) < Number(values[0]);
  }
}
