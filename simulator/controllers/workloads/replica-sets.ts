import type { Cluster } from "../../cluster.ts";
import { deleteObject } from "../../objects/delete-object.ts";
import type { Pod, Workload } from "../../objects/kinds.ts";
import { isDeleting, keyOf } from "../../objects/kubernetes-object.ts";
import { builtIn } from "../../objects/registry.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { Controller } from "../controller.ts";
import { createPod, isActive, isReady, nonZero, ownedObjects, ownerKey, pods } from "./owned-pods.ts";

export const replicaSets = builtIn("replicasets.apps");

/** Keeps as many pods as each replica set asks for. */
export function replicaSetController(cluster: Cluster): Controller {
  return {
    *concerns({ resource, object }) {
      if (resource === replicaSets) yield keyOf(object);
      if (resource === pods) yield* ownerKey(object, "ReplicaSet");
    },
    reconcile(key) {
      const set = cluster.store.get<Workload>(replicaSets, key);
      if (set === undefined || isDeleting(set)) return;
      const active = ownedObjects<Pod>(cluster, pods, set).filter(isActive);
      const wanted = set.spec?.replicas ?? 1;
      for (const pod of active.slice(wanted)) deleteObject(cluster, pods, keyOf(pod));
      for (let missing = wanted - active.length; missing > 0; missing--) {
        createPod(cluster, set, { generateName: `${set.metadata.name}-` });
      }
      const ready = active.slice(0, wanted).filter(isReady).length;
      changeObject<Workload>(cluster, replicaSets, key, (copy) => {
        copy.status = {
          replicas: Math.min(active.length, wanted),
          ...nonZero({
            fullyLabeledReplicas: Math.min(active.length, wanted),
            readyReplicas: ready,
            availableReplicas: ready,
          }),
          observedGeneration: copy.metadata.generation,
        };
      });
    },
  };
}
