import type { Cluster } from "../kubernetes/cluster.ts";
import type { Discovery } from "../kubernetes/discovery.ts";
import { groupOf, type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { aggregatedTo, AggregatedRoles } from "../kinds/rbac/aggregated-roles.ts";
import { classOf } from "../kinds/core/claim-class.ts";
import { callsInto, callsServiceOf, type ServiceClient, webhooksOf } from "../kinds/extensions/webhooks.ts";
import { definitions, referencesOf } from "./references.ts";
import { isAccountOf, type RoleRef, subjectsOf } from "../kinds/rbac/subjects.ts";

/** An object as the API server sent it, and parsed to be looked at. */
export interface SavableObject {
  readonly bytes: Buffer;
  readonly object: KubernetesObject;
}

/** A cluster-scoped object that a namespaced one names, and that is not there. */
export interface MissingObject {
  readonly kind: string;
  readonly name: string;
  readonly user: User;
}
interface User {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

const clusterRoles = "clusterroles.rbac.authorization.k8s.io";
const storageClasses = "storageclasses.storage.k8s.io";

/** How the cluster-scoped kinds are read: by name, or looked through. In this order, as some say what later ones are needed. */
export const verbsOfNeeds: Readonly<Record<string, "get" | "list">> = {
  "gatewayclasses.gateway.networking.k8s.io": "get",
  "customresourcedefinitions.apiextensions.k8s.io": "get",
  "priorityclasses.scheduling.k8s.io": "get",
  "runtimeclasses.node.k8s.io": "get",
  "deviceclasses.resource.k8s.io": "get",
  "ingressclasses.networking.k8s.io": "get",
  [storageClasses]: "get",
  "volumeattributesclasses.storage.k8s.io": "get",
  "volumesnapshotclasses.snapshot.storage.k8s.io": "list",
  namespaces: "get",
  persistentvolumes: "get",
  "clusterrolebindings.rbac.authorization.k8s.io": "list",
  [clusterRoles]: "get",
  "validatingwebhookconfigurations.admissionregistration.k8s.io": "list",
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": "list",
  "apiservices.apiregistration.k8s.io": "list",
};

/** What a backup does with the objects of a cluster-scoped kind: those that belong to others, too, are looked through. */
export function verbsOfNeed(resource: string): readonly string[] {
  const verb = verbsOfNeeds[resource];
  if (verb !== "get" || ["namespaces", "persistentvolumes"].includes(resource)) return verb === undefined ? [] : [verb];
  return ["get", "list"];
}

/** Made by every cluster for itself. https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/ */
const priorityClassesOfCluster = ["system-cluster-critical", "system-node-critical"];

/** What has been replaced by a newer one of its kind, and runs no more: that it lacks something does not matter. */
const revisions = ["replicasets.apps", "controllerrevisions.apps"];

/**
 * Which cluster-scoped objects the objects of some namespaces need, gathered while those pass by. Only names are kept.
 * Those that belong to the cluster itself (bootstrap roles, system priority classes) are not among them.
 */
export class ClusterScopedNeeds {
  readonly #namespaces: ReadonlySet<string>;
  /** By kind and name: what has been the first to name it, if that would miss it. */
  readonly #names = new Map<string, Map<string, User | undefined>>();
  readonly #found = new Set<string>();
  readonly #drivers = new Set<unknown>();
  readonly #staticClasses = new Set<string>();
  readonly #added = new Map<string, Set<string>>();
  readonly #roles = new AggregatedRoles();

  constructor(namespaces: readonly string[]) {
    this.#namespaces = new Set(namespaces);
  }

  /** Takes notice of what a namespaced object refers to. */
  note(type: ResourceType, object: KubernetesObject): void {
    const { namespace = "", name } = object.metadata;
    const user = revisions.includes(resourceName(type)) ? undefined : { kind: type.kind, namespace, name };
    for (const { resource, name: needed, isLoose } of referencesOf(type, object))
      this.#need(resource, needed, isLoose ? undefined : user);
    this.#roles.noteGroup(groupOf(type.apiVersion));
  }

  /** Counts an object of a cluster-scoped kind among those that are needed, though nothing refers to it. */
  add(resource: string, name: string): void {
    this.#added.set(resource, (this.#added.get(resource) ?? new Set()).add(name));
  }

  /** The needed objects of each cluster-scoped kind but namespaces; to be taken one kind after the other, in this order. */
  async *kinds(
    cluster: Cluster,
    discovery: Discovery,
    signal: AbortSignal,
  ): AsyncGenerator<readonly [ResourceType, AsyncIterable<SavableObject>]> {
    const others = [...this.#added.keys()].filter((kind) => !(kind in verbsOfNeeds)).sort();
    for (const name of [...others, ...Object.keys(verbsOfNeeds)]) {
      const verb = verbsOfNeeds[name] ?? "get";
      const type = discovery.resources.find((resource) => resourceName(resource) === name);
      if (!type || name === "namespaces") continue;
      const found = verb === "get" ? this.#byName(cluster, type, signal) : cluster.listRaw(type, "", signal);
      yield [type, matching(found, (object) => this.isNeeded(type, object))];
    }
  }

  /** What objects name and `kinds` has not found. To be asked when all of those were taken. */
  *missing(): Generator<MissingObject> {
    for (const [kind, names] of this.#names)
      for (const [name, user] of names) {
        // The volumes of a class that is nothing but a name have been made by hand.
        const isThere = this.#found.has(key(kind, name)) || (kind === storageClasses && this.#staticClasses.has(name));
        if (user && !isThere) yield { kind, name, user };
      }
  }

  /**
   * Whether an object of a cluster-scoped kind is needed. To be asked when all namespaced ones were noted, of one kind after
   * the other in the order of `verbsOfNeeds`, as it takes notice of what the object needs in turn; a cluster role before
   * those whose rules it collects.
   */
  isNeeded(type: ResourceType, object: KubernetesObject): boolean {
    const kind = resourceName(type);
    this.#found.add(key(kind, object.metadata.name));
    const isNeeded = this.#added.get(kind)?.has(object.metadata.name) === true || this.#isUsed(kind, object);
    if (isNeeded) this.#noteNeeded(kind, object);
    return isNeeded;
  }

  /** Whom else than these namespaces a needed object gives rights to, or sends what is written, in words. */
  othersIn(type: ResourceType, object: KubernetesObject): readonly string[] {
    switch (resourceName(type)) {
      case "clusterrolebindings.rbac.authorization.k8s.io":
        return subjectsOf(object)
          .filter((subject) => !isAccountOf(this.#namespaces, subject))
          .map(({ kind, namespace, name }) => `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`);
      case clusterRoles:
        return aggregatedTo(object).map((role) => `whoever is bound to ClusterRole ${role}`);
      case "validatingwebhookconfigurations.admissionregistration.k8s.io":
      case "mutatingwebhookconfigurations.admissionregistration.k8s.io":
        return webhooksOf(object)
          .filter((webhook) => !callsInto(webhook, this.#namespaces))
          .map(({ name }) => `what webhook ${name} calls`);
      default:
        return [];
    }
  }

  #isUsed(kind: string, object: KubernetesObject): boolean {
    const { name, labels } = object.metadata;
    switch (kind) {
      case "namespaces":
        return this.#namespaces.has(name);
      case "volumesnapshotclasses.snapshot.storage.k8s.io":
        return this.#drivers.has(object["driver"]) || this.#isNamed(kind, name);
      case "clusterrolebindings.rbac.authorization.k8s.io":
        return subjectsOf(object).some((subject) => isAccountOf(this.#namespaces, subject));
      case "validatingwebhookconfigurations.admissionregistration.k8s.io":
      case "mutatingwebhookconfigurations.admissionregistration.k8s.io":
        return callsServiceOf(object, this.#namespaces);
      case "apiservices.apiregistration.k8s.io":
        return this.#namespaces.has((object["spec"] as ServiceClient | undefined)?.service?.namespace ?? "");
      case clusterRoles:
        return labels?.[bootstrapping] === undefined && (this.#isNamed(kind, name) || this.#roles.collect(object));
      default:
        return this.#isNamed(kind, name);
    }
  }

  #noteNeeded(kind: string, object: KubernetesObject): void {
    switch (kind) {
      case storageClasses:
        this.#drivers.add(object["provisioner"]);
        break;
      case "persistentvolumes":
        if (object.metadata.annotations?.["pv.kubernetes.io/provisioned-by"] === undefined)
          this.#staticClasses.add(classOf(object));
        break;
      case definitions:
        this.#roles.noteGroup((object["spec"] as { group?: string } | undefined)?.group ?? "");
        break;
      case "clusterrolebindings.rbac.authorization.k8s.io":
        this.#need(clusterRoles, (object["roleRef"] as RoleRef | undefined)?.name ?? "");
        break;
      case clusterRoles:
        this.#roles.needed(object);
        break;
      default:
        // These come before the definitions.
        if (!(kind in verbsOfNeeds) || kind === "gatewayclasses.gateway.networking.k8s.io")
          this.#need(definitions, kind);
    }
  }

  #isNamed(kind: string, name: string): boolean {
    return this.#names.get(kind)?.has(name) === true;
  }

  #need(kind: string, name: string, user?: User): void {
    if (kind === "priorityclasses.scheduling.k8s.io" && priorityClassesOfCluster.includes(name)) return;
    if (kind === clusterRoles) this.#roles.bound(name);
    const names = this.#names.get(kind) ?? new Map<string, User | undefined>();
    names.set(name, names.get(name) ?? user);
    this.#names.set(kind, names);
  }

  async *#byName(cluster: Cluster, type: ResourceType, signal: AbortSignal): AsyncGenerator<readonly Buffer[]> {
    const kind = resourceName(type);
    const names = new Set([...(this.#names.get(kind)?.keys() ?? []), ...(this.#added.get(kind) ?? [])]);
    for (const name of [...names].sort()) {
      const bytes = await cluster.getRaw(type, "", name, signal);
      if (bytes !== undefined) yield [bytes];
    }
    if (kind !== clusterRoles) return;
    for (const labelSelector of this.#roles.selectors()) yield* cluster.listRaw(type, "", signal, { labelSelector });
  }
}

function key(kind: string, name: string): string {
  return `${kind}/${name}`;
}

/** On what the API server makes itself. */
const bootstrapping = "kubernetes.io/bootstrapping";

/** Those objects that are needed, each of them once. */
async function* matching(
  pages: AsyncIterable<readonly Buffer[]>,
  isNeeded: (object: KubernetesObject) => boolean,
): AsyncGenerator<SavableObject> {
  const given = new Set<string>();
  for await (const page of pages)
    for (const bytes of page) {
      const object = JSON.parse(bytes.toString()) as KubernetesObject;
      const { name } = object.metadata;
      if (given.has(name) || !isNeeded(object)) continue;
      given.add(name);
      yield { bytes, object };
    }
}
