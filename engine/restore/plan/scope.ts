import { type KubernetesObject, type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import type { RestorePlan } from "../../model.ts";

type Kind = Pick<ResourceType, "apiVersion" | "resource" | "namespaced">;
type Named = Pick<KubernetesObject["metadata"], "namespace" | "name">;

/** Which saved objects a restore is concerned with, and where they go. Whatever is outside of it stays as it is. */
export class Scope {
  /** As the archive calls them. */
  readonly savedNamespaces: readonly string[];
  /** Where their objects go; in the same order. */
  readonly targetNamespaces: readonly string[];
  readonly #targets: ReadonlyMap<string, string>;

  /** `targets`: the namespace that each saved one goes to; no two go to one. */
  constructor(targets: ReadonlyMap<string, string>) {
    this.#targets = targets;
    this.savedNamespaces = [...targets.keys()];
    this.targetNamespaces = [...targets.values()];
  }

  /** Of an archive of these namespaces, what the plan says. */
  static of(savedNamespaces: readonly string[], { mapping }: Pick<RestorePlan, "mapping">): Scope {
    return new Scope(new Map(savedNamespaces.map((saved) => [saved, mapping[saved] ?? saved])));
  }

  /** Whether a saved object is in it. */
  has(type: Kind, { namespace = "", name }: Named): boolean {
    if (resourceName(type) === "namespaces") return this.#targets.has(name);
    return !type.namespaced || this.#targets.has(namespace);
  }

  /** The namespace that objects of a saved one go to; undefined for one that is not in it. */
  targetOf(savedNamespace: string): string | undefined {
    return this.#targets.get(savedNamespace);
  }

  /** A saved object as one of the namespace that it goes to. The given one is not changed. */
  placed<T extends Pick<KubernetesObject, "metadata">>(type: Kind, object: T): T {
    const { metadata } = object;
    if (resourceName(type) === "namespaces") return withMetadata(object, { name: this.#targetOf(metadata.name) });
    if (!type.namespaced) return object;
    return withMetadata(object, { namespace: this.#targetOf(metadata.namespace ?? "") });
  }

  #targetOf(saved: string): string {
    return this.#targets.get(saved) ?? saved;
  }
}

function withMetadata<T extends Pick<KubernetesObject, "metadata">>(object: T, changes: Partial<Named>): T {
  const isSame = Object.entries(changes).every(([field, value]) => object.metadata[field] === value);
  return isSame ? object : { ...object, metadata: { ...object.metadata, ...changes } };
}
