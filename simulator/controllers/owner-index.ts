import type { Cluster } from "../cluster.ts";
import { keyOf } from "../objects/kubernetes-object.ts";
import type { KubernetesObject, ObjectKey } from "../objects/kubernetes-object.ts";
import { resourceId } from "../objects/resource.ts";
import type { Resource } from "../objects/resource.ts";

/** An object by its kind and key, as one text. */
export type Item = `${string} ${ObjectKey}`;

export function itemOf(resource: Resource, object: KubernetesObject): Item {
  return `${resourceId(resource)} ${keyOf(object)}`;
}

/** Which objects name which owners, by the owners' uids. */
export class OwnerIndex {
  readonly #dependents = new Map<string, Set<Item>>();

  constructor(cluster: Cluster) {
    cluster.store.subscribe(({ type, resource, object, previous }) => {
      const item = itemOf(resource, object);
      for (const { uid } of previous?.metadata.ownerReferences ?? []) this.#dependents.get(uid)?.delete(item);
      if (type === "DELETED") return;
      for (const { uid } of object.metadata.ownerReferences ?? []) {
        let items = this.#dependents.get(uid);
        if (items === undefined) this.#dependents.set(uid, (items = new Set()));
        items.add(item);
      }
    });
  }

  dependentsOf(uid: string): readonly Item[] {
    return [...(this.#dependents.get(uid) ?? [])];
  }
}
