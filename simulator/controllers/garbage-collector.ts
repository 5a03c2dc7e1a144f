import type { Cluster } from "../cluster.ts";
import { deleteObject } from "../objects/delete-object.ts";
import { isDeleting, keyOf } from "../objects/kubernetes-object.ts";
import type { KubernetesObject, OwnerReference } from "../objects/kubernetes-object.ts";
import { resourceId } from "../objects/resource.ts";
import type { Resource } from "../objects/resource.ts";
import { changeObject } from "../objects/update-object.ts";
import type { Controller } from "./controller.ts";
import { itemOf, OwnerIndex } from "./owner-index.ts";
import type { Item } from "./owner-index.ts";

/**
 * Deletes objects whose owners are all gone. An owner is its uid: an object whose reference names a living owner with
 * another uid is an orphan, and goes.
 */
export function garbageCollector(cluster: Cluster): Controller {
  const { store, registry } = cluster;
  const owners = new OwnerIndex(cluster);

  function resourceOf(id: string): Resource | undefined {
    return registry.kinds().find((resource) => resourceId(resource) === id);
  }

  function find(item: Item): { readonly resource: Resource; readonly object: KubernetesObject } | undefined {
    const [id = "", key = ""] = item.split(" ");
    const resource = resourceOf(id);
    const object = resource && store.get(resource, key);
    return resource && object && { resource, object };
  }

  /** Whether the owner is there; undefined when that is unknown. */
  function lives(owner: OwnerReference, dependent: KubernetesObject): boolean | undefined {
    const resource = registry.ofKind(owner.apiVersion, owner.kind);
    const { namespace } = dependent.metadata;
    if (resource === undefined || (resource.namespaced && !namespace)) return undefined;
    const found = store.get(resource, `${resource.namespaced ? namespace : ""}/${owner.name}`);
    if (found?.metadata.uid !== owner.uid) return false;
    return !(isDeleting(found) && found.metadata.finalizers?.includes("foregroundDeletion"));
  }

  function collect(resource: Resource, object: KubernetesObject): void {
    const references = object.metadata.ownerReferences ?? [];
    const dangling = references.filter((owner) => lives(owner, object) === false);
    if (dangling.length === 0) return;
    if (dangling.length === references.length) {
      if (!isDeleting(object)) deleteObject(cluster, resource, keyOf(object));
      return;
    }
    changeObject(cluster, resource, keyOf(object), ({ metadata }) => {
      metadata.ownerReferences = references.filter((owner) => !dangling.includes(owner));
    });
  }

  function finishDeletion(resource: Resource, object: KubernetesObject): void {
    const { uid, finalizers = [] } = object.metadata;
    const dependents = owners.dependentsOf(uid).flatMap((item) => find(item) ?? []);
    for (const { resource, object: dependent } of dependents) {
      if (finalizers.includes("orphan")) {
        changeObject(cluster, resource, keyOf(dependent), ({ metadata }) => {
          metadata.ownerReferences = (metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid);
        });
      } else if (finalizers.includes("foregroundDeletion")) {
        collect(resource, dependent);
      }
    }
    const isBlocked = finalizers.includes("foregroundDeletion") && owners.dependentsOf(uid).length > 0;
    if (isBlocked) return;
    changeObject(cluster, resource, keyOf(object), ({ metadata }) => {
      metadata.finalizers = finalizers.filter((name) => name !== "orphan" && name !== "foregroundDeletion");
    });
  }

  return {
    *concerns({ type, resource, object }) {
      if (object.metadata.ownerReferences !== undefined || isDeleting(object)) yield itemOf(resource, object);
      if (type !== "DELETED") return;
      yield* owners.dependentsOf(object.metadata.uid);
      // An owner that is deleted in the foreground waits for this object.
      for (const owner of object.metadata.ownerReferences ?? []) {
        const ownerResource = registry.ofKind(owner.apiVersion, owner.kind);
        const namespace = ownerResource?.namespaced ? object.metadata.namespace : "";
        if (ownerResource) yield `${resourceId(ownerResource)} ${namespace}/${owner.name}`;
      }
    },
    reconcile(item) {
      const found = find(item as Item);
      if (found === undefined) return;
      const { finalizers = [] } = found.object.metadata;
      const isWaiting = finalizers.includes("orphan") || finalizers.includes("foregroundDeletion");
      if (isDeleting(found.object) && isWaiting) finishDeletion(found.resource, found.object);
      else collect(found.resource, found.object);
    },
  };
}
