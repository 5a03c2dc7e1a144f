import type { Cluster } from "../../cluster.ts";
import { createObject } from "../../objects/create-object.ts";
import { deleteObject } from "../../objects/delete-object.ts";
import type { Pod, Workload } from "../../objects/kinds.ts";
import { isDeleting, keyOf } from "../../objects/kubernetes-object.ts";
import { builtIn } from "../../objects/registry.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { Controller } from "../controller.ts";
import { createPod, isReady, isTerminated, ownedBy, ownedObjects, ownerKey, pods, templateHash } from "./owned-pods.ts";

const statefulSets = builtIn("statefulsets.apps");
const claims = builtIn("persistentvolumeclaims");
const revisions = builtIn("controllerrevisions.apps");
const revisionLabel = "controller-revision-hash";

/** Keeps the pods of stateful sets by ordinal, each with its claims; claims outlive their pods and their set. */
export function statefulSetController(cluster: Cluster): Controller {
  const { store } = cluster;

  /** Whether the pod's claims are there; the missing ones are made. A claim that is being deleted must go first. */
  function haveClaims(set: Workload, pod: string): boolean {
    return (set.spec?.volumeClaimTemplates ?? []).every((template) => {
      const name = `${template.metadata.name}-${pod}`;
      const namespace = set.metadata.namespace ?? "";
      const claim = store.get(claims, `${namespace}/${name}`);
      if (claim !== undefined) return !isDeleting(claim);
      const labels = { ...template.metadata.labels, ...set.spec?.selector?.matchLabels };
      const { annotations } = template.metadata;
      const metadata = { name, namespace, labels, ...(annotations ? { annotations } : {}) };
      createObject(cluster, claims, {
        kind: "PersistentVolumeClaim",
        apiVersion: "v1",
        metadata,
        spec: template["spec"],
      });
      return true;
    });
  }

  function createMember(set: Workload, ordinal: number, revision: string): void {
    const name = `${set.metadata.name}-${ordinal}`;
    if (!haveClaims(set, name)) return;
    const mounts = (set.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => ({
      name: metadata.name,
      persistentVolumeClaim: { claimName: `${metadata.name}-${name}` },
    }));
    const labels = {
      "apps.kubernetes.io/pod-index": String(ordinal),
      [revisionLabel]: revision,
      "statefulset.kubernetes.io/pod-name": name,
    };
    const volumes = [...mounts, ...(set.spec?.template?.spec?.volumes ?? [])];
    createPod(cluster, set, { name, labels }, { hostname: name, volumes });
  }

  function keepRevision(set: Workload): string {
    const name = `${set.metadata.name}-${templateHash(set.spec?.template)}`;
    const namespace = set.metadata.namespace ?? "";
    if (store.get(revisions, `${namespace}/${name}`) === undefined) {
      createObject(cluster, revisions, {
        kind: "ControllerRevision",
        apiVersion: "apps/v1",
        metadata: { name, namespace, labels: set.spec?.selector?.matchLabels ?? {}, ownerReferences: [ownedBy(set)] },
        data: { spec: { template: set.spec?.template } },
        revision: 1,
      });
    }
    return name;
  }

  return {
    *concerns({ resource, object, type }) {
      if (resource === statefulSets) yield keyOf(object);
      if (resource === pods) yield* ownerKey(object, "StatefulSet");
      // A claim that was in the way may be gone.
      if (resource === claims && type === "DELETED")
        for (const set of store.list(statefulSets, object.metadata.namespace)) yield keyOf(set);
    },
    reconcile(key) {
      const set = store.get<Workload>(statefulSets, key);
      if (set === undefined || isDeleting(set)) return;
      const revision = keepRevision(set);
      const members = new Map(ownedObjects<Pod>(cluster, pods, set).map((pod) => [pod.metadata.name, pod]));
      const wanted = set.spec?.replicas ?? 1;
      const names = Array.from({ length: wanted }, (_, ordinal) => `${set.metadata.name}-${ordinal}`);
      for (const [name, pod] of members) {
        const isStale = pod.metadata.labels?.[revisionLabel] !== revision || isTerminated(pod);
        if (!isDeleting(pod) && (!names.includes(name) || isStale)) deleteObject(cluster, pods, keyOf(pod));
      }
      for (const [ordinal, name] of names.entries()) {
        const pod = members.get(name);
        if (pod === undefined) createMember(set, ordinal, revision);
        // Members start one after another unless the set says otherwise.
        if ((pod === undefined || !isReady(pod)) && set.spec?.podManagementPolicy !== "Parallel") break;
      }
      const present = names.flatMap((name) => members.get(name) ?? []).filter((pod) => !isDeleting(pod));
      const ready = present.filter(isReady).length;
      changeObject<Workload>(cluster, statefulSets, key, (copy) => {
        copy.status = {
          observedGeneration: copy.metadata.generation,
          replicas: present.length,
          readyReplicas: ready,
          currentReplicas: present.length,
          updatedReplicas: present.length,
          currentRevision: revision,
          updateRevision: revision,
          collisionCount: 0,
          availableReplicas: ready,
        };
      });
    },
  };
}
