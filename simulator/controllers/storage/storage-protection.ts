import type { Cluster } from "../../cluster.ts";
import type { Pod, Volume } from "../../objects/kinds.ts";
import { isDeleting, keyOf } from "../../objects/kubernetes-object.ts";
import { builtIn } from "../../objects/registry.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { Controller } from "../controller.ts";
import { isTerminated, pods } from "../workloads/owned-pods.ts";
import { claimsOf } from "../workloads/pods.ts";

const claims = builtIn("persistentvolumeclaims");
const volumes = builtIn("persistentvolumes");

/** Lets a deleted claim go when no pod uses it, and a deleted volume when no claim is bound to it. */
export function storageProtectionController(cluster: Cluster): Controller {
  const { store } = cluster;

  function isUsed(key: string, namespace: string | undefined): boolean {
    return [...store.list<Pod>(pods, namespace)].some((pod) => !isTerminated(pod) && claimsOf(pod).includes(key));
  }

  return {
    *concerns({ resource, object }) {
      if (resource === claims || resource === volumes) yield keyOf(object);
      if (resource === pods) yield* claimsOf(object);
    },
    reconcile(key) {
      const claim = store.get(claims, key);
      if (claim && isDeleting(claim) && !isUsed(key, claim.metadata.namespace)) {
        changeObject(cluster, claims, key, ({ metadata }) => {
          metadata.finalizers = metadata.finalizers?.filter((name) => name !== "kubernetes.io/pvc-protection") ?? [];
        });
      }
      const volume = store.get<Volume>(volumes, key);
      if (volume && isDeleting(volume) && volume.status?.phase !== "Bound") {
        changeObject(cluster, volumes, key, ({ metadata }) => {
          metadata.finalizers = metadata.finalizers?.filter((name) => name !== "kubernetes.io/pv-protection") ?? [];
        });
      }
    },
  };
}
