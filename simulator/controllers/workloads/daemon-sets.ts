import type { Cluster } from "../../cluster.ts";
import { deleteObject } from "../../objects/delete-object.ts";
import type { Pod, Workload } from "../../objects/kinds.ts";
import { isDeleting, keyOf } from "../../objects/kubernetes-object.ts";
import { builtIn } from "../../objects/registry.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { Controller } from "../controller.ts";
import { createPod, isActive, isReady, ownedObjects, ownerKey, pods } from "./owned-pods.ts";

const daemonSets = builtIn("daemonsets.apps");
const nodes = builtIn("nodes");

/** Keeps one pod of each daemon set on every node that its selector takes. */
export function daemonSetController(cluster: Cluster): Controller {
  const { store } = cluster;

  function countNodes({ spec }: Workload): number {
    const selector = Object.entries((spec?.template?.spec?.["nodeSelector"] ?? {}) as Record<string, string>);
    return [...store.list(nodes)].filter(({ metadata }) =>
      selector.every(([name, value]) => metadata.labels?.[name] === value),
    ).length;
  }

  return {
    *concerns({ resource, object }) {
      if (resource === daemonSets) yield keyOf(object);
      if (resource === pods) yield* ownerKey(object, "DaemonSet");
    },
    reconcile(key) {
      const set = store.get<Workload>(daemonSets, key);
      if (set === undefined || isDeleting(set)) return;
      const active = ownedObjects<Pod>(cluster, pods, set).filter(isActive);
      const wanted = countNodes(set);
      for (const pod of active.slice(wanted)) deleteObject(cluster, pods, keyOf(pod));
      for (let missing = wanted - active.length; missing > 0; missing--) {
        createPod(cluster, set, { generateName: `${set.metadata.name}-` });
      }
      const scheduled = Math.min(active.length, wanted);
      const ready = active.slice(0, wanted).filter(isReady).length;
      changeObject<Workload>(cluster, daemonSets, key, (copy) => {
        copy.status = {
          currentNumberScheduled: scheduled,
          numberMisscheduled: 0,
          desiredNumberScheduled: wanted,
          numberReady: ready,
          observedGeneration: copy.metadata.generation,
          updatedNumberScheduled: scheduled,
          numberAvailable: ready,
        };
      });
    },
  };
}
