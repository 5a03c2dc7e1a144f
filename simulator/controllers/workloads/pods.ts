import { nodeName } from "../../bootstrap.ts";
import type { Cluster } from "../../cluster.ts";
import { deleteObject } from "../../objects/delete-object.ts";
import type { Claim, Condition, Pod, Volume } from "../../objects/kinds.ts";
import { controllerOf, isDeleting, keyOf, timestamp } from "../../objects/kubernetes-object.ts";
import { builtIn } from "../../objects/registry.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { Controller } from "../controller.ts";
import { isTerminated, pods } from "./owned-pods.ts";

const claims = builtIn("persistentvolumeclaims");
const volumes = builtIn("persistentvolumes");

/** Scheduler and kubelet in one: pods run as soon as their claims are bound; those of jobs run their program (`Programs`) to completion. */
export function podController(cluster: Cluster): Controller {
  const { store } = cluster;

  function claimsAreBound(pod: Pod): boolean {
    return claimsOf(pod).every((key) => {
      const claim = store.get<Claim>(claims, key);
      return claim?.status?.phase === "Bound" && !isDeleting(claim);
    });
  }

  /** Runs the program of a job's pod until it ends. */
  function goOn(pod: Pod): void {
    const { programs, data } = cluster;
    const mounted = (pod.spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim: claim }) => {
      const bound = claim && store.get<Claim>(claims, `${pod.metadata.namespace}/${claim.claimName}`);
      const volume = store.get<Volume>(volumes, `/${bound?.spec?.volumeName ?? ""}`);
      const files = data.volumes.get(volume?.spec?.csi?.volumeHandle ?? "");
      return files ? [[name ?? "", files] as const] : [];
    });
    const { exitCode, log } = programs.program(pod, new Map(mounted));
    programs.logs.set(pod.metadata.uid, log);
    if (exitCode !== undefined) changeObject<Pod>(cluster, pods, keyOf(pod), (copy) => end(copy, exitCode));
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
        if (controllerOf(pod)?.kind === "Job") goOn(pod);
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
  spec.nodeName ??= nodeName;
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

function end(pod: Pod, exitCode: number): void {
  const conditions = (pod.status?.conditions ?? []).map((given) =>
    given.type === "Ready" || given.type === "ContainersReady"
      ? { ...condition(given.type, "False"), reason: "PodCompleted" }
      : given,
  );
  const containerStatuses = (pod.spec?.containers ?? []).map(({ name, image }) => ({
    name,
    image,
    state: { terminated: { exitCode, finishedAt: timestamp() } },
    ready: false,
    restartCount: 0,
  }));
  const ended = { phase: exitCode === 0 ? ("Succeeded" as const) : ("Failed" as const), conditions, containerStatuses };
  pod.status = { ...pod.status, ...ended };
}

function condition(type: string, status: Condition["status"]): Condition {
  return { type, status, lastTransitionTime: timestamp() };
}
