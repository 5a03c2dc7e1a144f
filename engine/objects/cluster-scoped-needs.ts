import { customResourceDefinition } from "../kinds/extensions/custom-resource-definition.ts";
import { rulesFor, rulesOf } from "../kinds/kinds.ts";
import { AggregatedRoles } from "../kinds/rbac/aggregated-roles.ts";
import { readingOrder } from "../kinds/reading-order.ts";
import type { KnownNeeds } from "../kinds/saving-rules.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { Discovery } from "../kubernetes/discovery.ts";
import { groupOf, type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { referencesOf } from "./references.ts";
import { isNamespace } from "../kinds/core/namespace.ts";

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

/** How the cluster-scoped kinds are read: by name, or looked through. In this order, as some say what later ones are needed. */
export const verbsOfNeeds: Readonly<Record<string, "get" | "list">> = Object.fromEntries(
  readingOrder.map(({ name, read = "get" }) => [name, read]),
);

/** The verbs that a backup uses on the objects of a cluster-scoped kind: those that belong to others, too, are searched. */
export function verbsOfNeed(resource: string): readonly string[] {
  const verb = verbsOfNeeds[resource];
  if (verb !== "get" || rulesFor(resource).isOfCluster) return verb === undefined ? [] : [verb];
  return ["get", "list"];
}

/**
 * Which cluster-scoped objects the objects of some namespaces need, gathered while those pass by. Only names are kept.
 * Those that belong to the cluster itself (bootstrap roles, system priority classes) are not among them.
 */
export class ClusterScopedNeeds {
  /** By kind and name: what has been the first to name it, if that would miss it. */
  readonly #names = new Map<string, Map<string, User | undefined>>();
  readonly #found = new Set<string>();
  readonly #added = new Map<string, Set<string>>();
  readonly #known: KnownNeeds;

  constructor(namespaces: readonly string[]) {
    this.#known = {
      namespaces: new Set(namespaces),
      drivers: new Set(),
      staticClasses: new Set(),
      roles: new AggregatedRoles(),
      isNamed: (kind, name) => this.#isNamed(kind, name),
      need: (kind, name) => this.#need(kind, name),
    };
  }

  /** Takes notice of what a namespaced object refers to. */
  note(type: ResourceType, object: KubernetesObject): void {
    const { namespace = "", name } = object.metadata;
    // An object that has been replaced by a newer one of its kind, and no longer runs, may lack something.
    const user = rulesOf(type).revisionsOf ? undefined : { kind: type.kind, namespace, name };
    for (const { resource, name: needed, isLoose } of referencesOf(type, object))
      this.#need(resource, needed, isLoose ? undefined : user);
    this.#known.roles.noteGroup(groupOf(type.apiVersion));
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
      if (!type || isNamespace(type)) continue;
      const found = verb === "get" ? this.#byName(cluster, type, signal) : cluster.listRaw(type, "", signal);
      yield [type, matching(found, (object) => this.isNeeded(type, object))];
    }
  }

  /** Names in objects that `kinds` has not found. To be asked when all of those were taken. */
  *missing(): Generator<MissingObject> {
    for (const [kind, names] of this.#names)
      for (const [name, user] of names) {
        const isThere = this.#found.has(key(kind, name)) || rulesFor(kind).mayBeOnlyAName?.(name, this.#known) === true;
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

  /** Whom else than these namespaces a needed object gives rights to, or sends data to, in words. */
  othersIn(type: ResourceType, object: KubernetesObject): readonly string[] {
    return rulesOf(type).othersIn?.(object, this.#known.namespaces) ?? [];
  }

  #isUsed(kind: string, object: KubernetesObject): boolean {
    return rulesFor(kind).isNeeded?.(object, this.#known) ?? this.#isNamed(kind, object.metadata.name);
  }

  #noteNeeded(kind: string, object: KubernetesObject): void {
    const { noteNeeds } = rulesFor(kind);
    if (noteNeeds) noteNeeds(object, this.#known);
    // Such kinds come before the definitions.
    else if (!(kind in verbsOfNeeds)) this.#need(customResourceDefinition.name, kind);
  }

  #isNamed(kind: string, name: string): boolean {
    return this.#names.get(kind)?.has(name) === true;
  }

  #need(kind: string, name: string, user?: User): void {
    const { isInEveryCluster, noteName } = rulesFor(kind);
    if (isInEveryCluster?.(name)) return;
    noteName?.(name, this.#known);
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
    for (const labelSelector of rulesOf(type).selectors?.(this.#known) ?? [])
      yield* cluster.listRaw(type, "", signal, { labelSelector });
  }
}

function key(kind: string, name: string): string {
  return `${kind}/${name}`;
}

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
