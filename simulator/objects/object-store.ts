import { expired } from "./api-error.ts";
import { keyOf } from "./kubernetes-object.ts";
import type { KubernetesObject, ObjectKey } from "./kubernetes-object.ts";
import { resourceId } from "./resource.ts";
import type { Resource } from "./resource.ts";

export interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly resource: Resource;
  readonly object: KubernetesObject;
  /** What was there before; absent when the object is new. */
  readonly previous?: KubernetesObject;
  readonly revision: number;
}

interface Collection {
  readonly objects: Map<ObjectKey, KubernetesObject>;
  /** In etcd's order: by the bytes of the whole key. */
  readonly keys: ObjectKey[];
}

const historyLength = 20_000;

/**
 * What etcd is to an API server: objects by key, one counter of revisions, and the latest changes.
 *
 * An object that is stored is never changed afterwards: a change is another object.
 */
export class ObjectStore {
  readonly #collections = new Map<string, Collection>();
  readonly #listeners = new Set<(change: Change) => void>();
  #history: Change[] = [];
  #revision = 1;
  /** Changes up to and including this revision are forgotten. */
  #compacted = 0;

  get revision(): number {
    return this.#revision;
  }

  get<T extends KubernetesObject>(resource: Resource, key: ObjectKey): T | undefined {
    return this.#collections.get(resourceId(resource))?.objects.get(key) as T | undefined;
  }

  /** The objects in order of their keys, of one namespace or of all, from the first key after `after`. */
  *list<T extends KubernetesObject>(resource: Resource, namespace = "", after = ""): Generator<T> {
    const collection = this.#collections.get(resourceId(resource));
    if (collection === undefined) return;
    const prefix = namespace === "" ? "" : `${namespace}/`;
    // A copy of the keys: the reader may change the store between two objects.
    const start = position(collection.keys, after > prefix ? after : prefix);
    for (const key of collection.keys.slice(start)) {
      if (!key.startsWith(prefix)) return;
      const object = collection.objects.get(key);
      if (key !== after && object !== undefined) yield object as T;
    }
  }

  count(resource: Resource): number {
    return this.#collections.get(resourceId(resource))?.keys.length ?? 0;
  }

  /** Stores the object under a new revision and returns it with that. */
  put(resource: Resource, object: KubernetesObject): KubernetesObject {
    const collection = this.#collection(resource);
    const key = keyOf(object);
    const previous = collection.objects.get(key);
    const stored = this.#withNextRevision(object);
    if (previous === undefined) collection.keys.splice(position(collection.keys, key), 0, key);
    collection.objects.set(key, stored);
    this.#publish({
      type: previous === undefined ? "ADDED" : "MODIFIED",
      resource,
      object: stored,
      ...(previous === undefined ? {} : { previous }),
      revision: this.#revision,
    });
    return stored;
  }

  remove(resource: Resource, key: ObjectKey): void {
    const collection = this.#collection(resource);
    const previous = collection.objects.get(key);
    if (previous === undefined) return;
    collection.objects.delete(key);
    collection.keys.splice(position(collection.keys, key), 1);
    const object = this.#withNextRevision(previous);
    this.#publish({ type: "DELETED", resource, object, previous, revision: this.#revision });
  }

  /** Calls the listener with every later change, at once. Returns how to stop it. */
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The changes after a revision. Throws `Expired` when some of them are forgotten. */
  changesSince(revision: number): readonly Change[] {
    if (revision < this.#compacted) throw expired(`too old resource version: ${revision} (${this.#compacted + 1})`);
    return this.#history.filter((change) => change.revision > revision);
  }

  /** Forgets the past changes, as etcd does every five minutes. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#history = [];
  }

  #collection(resource: Resource): Collection {
    const id = resourceId(resource);
    let collection = this.#collections.get(id);
    if (collection === undefined) this.#collections.set(id, (collection = { objects: new Map(), keys: [] }));
    return collection;
  }

  #withNextRevision(object: KubernetesObject): KubernetesObject {
    this.#revision++;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#revision) } };
  }

  #publish(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > 2 * historyLength) {
      this.#history = this.#history.slice(historyLength);
      this.#compacted = (this.#history[0]?.revision ?? 1) - 1;
    }
    for (const listener of this.#listeners) listener(change);
  }
}

/** Where a key is, or would be, in the sorted keys. */
function position(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
