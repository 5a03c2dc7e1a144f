import { nodeName } from "../../bootstrap.ts";
import type { Cluster } from "../../cluster.ts";
import { deleteObject } from "../../objects/delete-object.ts";
import type { Claim, Condition, Pod } from "../../objects/kinds.ts";
import { controllerOf, isDeleting, keyOf, timestamp } from "../../objects/kubernetes-object.ts";
import { builtIn } from "../../objects/registry.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { Controller } from "../controller.ts";
import { isTerminated, pods } from "./owned-pods.ts";

const claims = builtIn("persistentvolumeclaims");

/** Scheduler and kubelet in one: pods run as soon as their claims are bound; those of jobs then end well. */
export function podController(cluster: Cluster): Controller {
  const { store } = cluster;

  function claimsAreBound(pod: Pod): boolean {
    return claimsOf(pod).every((key) => {
      const claim = store.get<Claim>(claims, key);
      return claim?.status?.phase === "Bound" && !isDeleting(claim);
    });
  }

  return {
    *concerns({ resource, object }) {
      if (resource === pods) yield keyOf(object);
      if (resource !== claims) return;
      for (const pod of store.list<Pod>(pods, object.metadata.namespace)) {
        if (claimsOf(pod).includes(keyOf(object))) yield keyOf(pod);
      }
    },
    reconcile(key) {
      const pod = store.get<Pod>(pods, key);
      if (pod === undefined || isTerminated(pod)) return;
      if (isDeleting(pod)) {
        if (pod.metadata.deletionGracePeriodSeconds) deleteObject(cluster, pods, key, { gracePeriodSeconds: 0 });
      } else if (pod.status?.phase === "Running") {
        if (controllerOf(pod)?.kind === "Job") changeObject<Pod>(cluster, pods, key, succeed);
      } else {
        changeObject<Pod>(cluster, pods, key, claimsAreBound(pod) ? run : wait);
      }
    },
  };
}

/** The keys of the claims that a pod mounts. */
export function claimsOf({ metadata, spec }: Pod): readonly string[] {
  return (spec?.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) =>
    claim === undefined ? [] : [`${metadata.namespace}/${claim.claimName}`],
  );
}

function wait(pod: Pod): void {
  const message = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
  const conditions = [{ ...condition("PodScheduled", "False"), reason: "Unschedulable", message }];
  if (pod.status?.conditions?.[0]?.reason !== "Unschedulable") pod.status = { phase: "Pending", conditions };
}

function run(pod: Pod): void {
  const startTime = timestamp();
  const spec = (pod.spec ??= {});
  spec.nodeName = nodeName;
  const status = {
    phase: "Running" as const,
    conditions: ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) =>
      condition(type, "True"),
    ),
    hostIP: "192.0.2.1",
    podIP: "198.51.100.1",
    startTime,
    containerStatuses: (spec.containers ?? []).map(({ name, image }) => ({
      name,
      image,
      state: { running: { startedAt: startTime } },
      ready: true,
      started: true,
      restartCount: 0,
    })),
    qosClass: "BestEffort",
  };
  pod.status = status;
}

function succeed(pod: Pod): void {
  const conditions = (pod.status?.conditions ?? []).map((given) =>
    given.type === "Ready" || given.type === "ContainersReady"
      ? { ...condition(given.type, "False"), reason: "PodCompleted" }
      : given,
  );
  pod.status = { ...pod.status, phase: "Succeeded", conditions };
}

function condition(type: string, status: Condition["status"]): Condition {
  return { type, status, lastTransitionTime: timestamp() };
}
