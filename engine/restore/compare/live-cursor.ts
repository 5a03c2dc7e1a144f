import { isBuiltInGroup } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { groupOf } from "../../kubernetes/kubernetes-object.ts";
import { RawObject } from "../../kubernetes/raw-object.ts";
import type { ServedType } from "../../kinds/served-types.ts";
import { listedObjects } from "./live-objects.ts";

/** A collection of the cluster. */
export interface LiveCollection {
  readonly cluster: Cluster;
  readonly type: ServedType;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

/**
 * Finds live objects by name while one list of their collection goes by, for callers that ask in the list's order, as an archive
 * has it: no more than a page is in memory, however much differs. A name that is asked for out of order costs a request of its own, as does
 * one that the list lacks, unless it is of a built-in kind: others may be served in any order. To be closed. Errors as for `liveObjects`.
 */
export class LiveCursor {
  readonly #collection: LiveCollection;
  readonly #listed: AsyncGenerator<RawObject>;
  #current: RawObject | undefined;
  #isOver = false;
  /** Whether the list is in the order of names, so that one it has passed over is not there. */
  #isInOrder: boolean;
  #asked = "";

  constructor(collection: LiveCollection) {
    this.#collection = collection;
    this.#isInOrder = isBuiltInGroup(groupOf(collection.type.apiVersion));
    const { cluster, type, namespace, signal } = collection;
    this.#listed = listedObjects(cluster, type, namespace, signal);
  }

  /** The object as the list has it, a view of more bytes; undefined when there is none. */
  async find(name: string): Promise<RawObject | undefined> {
    if (name > this.#asked) {
      this.#asked = name;
      await this.#advanceTo(name);
      if (this.#current?.metadata.name === name) return this.#current;
      if (this.#isInOrder) return undefined;
    }
    const { cluster, type, namespace, signal } = this.#collection;
    const bytes = await cluster.getRaw(type, namespace, name, signal);
    return bytes && new RawObject(bytes);
  }

  async close(): Promise<void> {
    await this.#listed.return(undefined);
  }

  async #advanceTo(name: string): Promise<void> {
    let at = this.#current?.metadata.name ?? "";
    while (!this.#isOver && at < name) {
      const next = await this.#listed.next();
      this.#isOver = next.done === true;
      this.#current = next.done === true ? undefined : next.value;
      const reached = this.#current?.metadata.name ?? name;
      if (reached <= at) this.#isInOrder = false;
      at = reached;
    }
  }
}
