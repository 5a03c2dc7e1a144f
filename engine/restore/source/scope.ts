import {
  type KubernetesObject,
  type ObjectMeta,
  type OwnerReference,
  type ResourceType,
  resourceName,
} from "../../kubernetes/kubernetes-object.ts";
import type { RestorePlan } from "../../model.ts";
import { mapped } from "./mapping.ts";
import { isNamespace } from "../../kinds/core/namespace.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import { isStorageClass } from "../../kinds/storage/storage-class.ts";
import { isVolume } from "../../kinds/core/persistent-volume.ts";

type Kind = Pick<ResourceType, "apiVersion" | "resource">;
type Named = Pick<KubernetesObject["metadata"], "namespace" | "name">;

/** A restore's reach on an object in its scope: restore it as it was saved, or only create it where it is missing. */
export type Reach = "as saved" | "if missing";

/** The parts of a scope, beside its namespaces. Objects by `objectKey`, under their saved namespaces. */
export interface ScopeParts {
  /** The only cluster-scoped objects that are in it; without, all are. */
  readonly clusterScoped?: ReadonlyMap<string, Reach>;
  /** The only objects of its namespaces that are in it, and the namespaces themselves; without, all are. */
  readonly namespaced?: ReadonlyMap<string, Reach>;
  /** Set when the objects go beside those that they are copies of. */
  readonly copies?: {
    /** Whether none of a kind is in it, by its resource name. */
    readonly leaves: (kind: string) => boolean;
    /** Whether an object keeps an owner. */
    readonly keepsOwner: (owner: OwnerReference) => boolean;
  };
  /** The storage classes that saved ones are replaced by: these are not in it. */
  readonly storageClassMap?: RestorePlan["storageClassMap"];
}

/** Which saved objects a restore is concerned with, and where they go. Whatever is outside of it stays as it is. */
export class Scope {
  /** As the archive calls them. */
  readonly savedNamespaces: readonly string[];
  /** Where their objects go; in the same order. */
  readonly targetNamespaces: readonly string[];
  /** Those targets that become as they were saved with all that is in them; none when single objects are listed. */
  readonly wholeNamespaces: readonly string[];
  readonly #targets: ReadonlyMap<string, string>;
  readonly #saved: ReadonlyMap<string, string>;
  readonly #parts: ScopeParts;

  /** `targets`: the namespace that each saved one goes to; no two go to one. */
  constructor(targets: ReadonlyMap<string, string>, parts: ScopeParts = {}) {
    this.#targets = targets;
    this.#saved = new Map([...targets].map(([saved, target]) => [target, saved]));
    this.#parts = parts;
    this.savedNamespaces = [...targets.keys()];
    this.targetNamespaces = [...targets.values()];
    this.wholeNamespaces = parts.namespaced ? [] : this.targetNamespaces;
  }

  /** The plan's scope of an archive of these namespaces; for single objects the namespaces, until these are resolved. */
  static of(
    archived: readonly string[],
    { mapping, selection, storageClassMap = {} }: Pick<RestorePlan, "mapping" | "selection" | "storageClassMap">,
    parts?: ScopeParts,
  ): Scope {
    const selected = namespacesOf(archived, selection);
    return new Scope(new Map(selected.map((saved) => [saved, mapping[saved] ?? saved])), { ...parts, storageClassMap });
  }

  /** Whether its objects are copies, beside the live ones. */
  get isOfCopies(): boolean {
    return this.#parts.copies !== undefined;
  }

  /** Whether a saved object is in it. */
  has(type: Kind, name: Named): boolean {
    return this.reachOf(type, name) !== undefined;
  }

  /** The reach on a saved object; undefined for one that is not in the scope. */
  reachOf(type: Kind, { namespace = "", name }: Named): Reach | undefined {
    const kind = resourceName(type);
    const { clusterScoped, namespaced, copies } = this.#parts;
    if (copies?.leaves(kind) === true) return undefined;
    if (isStorageClass(type) && this.classFor(name) !== name) return undefined;
    if (isVolume(type)) return "as saved"; // looked up for what claims need of them
    if (namespace === "" && !isNamespace(type))
      return clusterScoped ? clusterScoped.get(objectKey(type, "", name)) : "as saved";
    if (!this.#targets.has(isNamespace(type) ? name : namespace)) return undefined;
    return namespaced ? namespaced.get(objectKey(type, namespace, name)) : "as saved";
  }

  /** The same of an object of the cluster, in the namespace that saved ones go to. */
  liveReachOf(type: Kind, { namespace = "", name }: Named): Reach | undefined {
    if (isNamespace(type)) return this.reachOf(type, { name: this.#saved.get(name) ?? "" });
    if (namespace === "") return this.reachOf(type, { name });
    const saved = this.#saved.get(namespace);
    return saved === undefined ? undefined : this.reachOf(type, { namespace: saved, name });
  }

  /** Whether an object of the cluster is in it. */
  hasLive(type: Kind, name: Named): boolean {
    return this.liveReachOf(type, name) !== undefined;
  }

  /** The namespace that objects of a saved one go to; undefined for one that is not in it. */
  targetOf(savedNamespace: string): string | undefined {
    return this.#targets.get(savedNamespace);
  }

  /** A saved object as one of the namespace that it goes to. The given one is not changed. */
  placed(type: Kind, object: KubernetesObject): KubernetesObject {
    const metadata = this.placedMetadata(type, object.metadata);
    const there = metadata === object.metadata ? object : { ...object, metadata };
    const inClass = rulesOf(type).inOtherClasses?.(there, (saved) => this.classFor(saved)) ?? there;
    return this.#parts.copies ? mapped(type, inClass, (saved) => this.#targetOf(saved)) : inClass;
  }

  /** Whether a storage class is one that others are replaced by. */
  replacesClass(name: string): boolean {
    return Object.values(this.#parts.storageClassMap ?? {}).includes(name);
  }

  /** The storage class that replaces a saved one. */
  classFor(saved: string): string {
    const { storageClassMap = {} } = this.#parts;
    return Object.hasOwn(storageClassMap, saved) ? (storageClassMap[saved] ?? saved) : saved;
  }

  /** The metadata of such an object, of which no more is known. */
  placedMetadata(type: Kind, metadata: ObjectMeta): ObjectMeta {
    const { copies } = this.#parts;
    const { namespace, name, ownerReferences } = metadata;
    const changes = {
      ...(isNamespace(type) && { name: this.#targetOf(name) }),
      ...(isStorageClass(type) && { name: this.classFor(name) }),
      ...(namespace !== undefined && { namespace: this.#targetOf(namespace) }),
      ...(copies && ownerReferences && { ownerReferences: ownerReferences.filter(copies.keepsOwner) }),
    };
    const isSame = Object.entries(changes).every(([field, value]) => metadata[field] === value);
    return isSame ? metadata : { ...metadata, ...changes };
  }

  #targetOf(saved: string): string {
    return this.#targets.get(saved) ?? saved;
  }
}

/** An object's key in a scope. */
export function objectKey(type: Kind, namespace: string, name: string): string {
  return `${resourceName(type)}/${namespace}/${name}`;
}

/** The saved namespaces that a selection is of. */
export function namespacesOf(archived: readonly string[], selection: RestorePlan["selection"]): readonly string[] {
  switch (selection.what) {
    case "all":
      return archived;
    case "namespaces":
      return archived.filter((name) => selection.namespaces.includes(name));
    case "objects":
      return archived.filter((name) => selection.objects.some(({ namespace }) => namespace === name));
  }
}
