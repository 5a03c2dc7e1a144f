import { isDeepStrictEqual } from "node:util";
import { DrsError } from "../../errors.ts";
import type { ClusterWrites } from "../../kubernetes/cluster-writes.ts";
import { managersOf } from "../../kubernetes/field-managers.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { refusalOf } from "../objects/object-restorer.ts";
import { isMadeByCluster } from "../../objects/object-selection.ts";
import { isMirrorPod } from "../../kinds/core/pod.ts";
import { stoppedLabel } from "../../kinds/own-labels.ts";
import { isFinishedJob } from "../../kinds/batch/finished-jobs.ts";
import { hasEnded } from "../../kinds/core/pod.ts";

/** A kind that runs, or lets others run. */
export interface RunningKind extends ResourceType {
  /** The fields of a stopped object's spec. Absent: it is stopped by its deletion. */
  readonly stopped?: Readonly<Record<string, unknown>>;
  /** Whether an object runs at all. */
  readonly runs?: (object: KubernetesObject) => boolean;
}

const kind = (
  apiVersion: string,
  kind: string,
  resource: string,
  how: Pick<RunningKind, "stopped" | "runs"> = {},
): RunningKind => ({ apiVersion, kind, resource, namespaced: true, ...how });

export const pods = kind("v1", "Pod", "pods", { runs: (pod) => !hasEnded(pod) });

const claimsStay = { whenDeleted: "Retain", whenScaled: "Retain" };

/** No node has this label: a daemon set that asks for it has no pods, whatever its way to update them. */
const onNoNode = { [stoppedLabel]: "true" };

/**
 * The kinds to stop, in this order. An autoscaler does nothing for a workload without replicas, unless it may scale to none:
 * https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#implicit-maintenance-mode-deactivation
 */
export const runningKinds: readonly RunningKind[] = [
  kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", { runs: scalesToNone }),
  kind("batch/v1", "CronJob", "cronjobs", { stopped: { suspend: true } }),
  kind("batch/v1", "Job", "jobs", { stopped: { suspend: true }, runs: (job) => !isFinishedJob(job) }),
  kind("apps/v1", "Deployment", "deployments", { stopped: { replicas: 0 } }),
  kind("apps/v1", "StatefulSet", "statefulsets", {
    stopped: { replicas: 0, persistentVolumeClaimRetentionPolicy: claimsStay },
  }),
  kind("apps/v1", "DaemonSet", "daemonsets", { stopped: { template: { spec: { nodeSelector: onNoNode } } } }),
  kind("apps/v1", "ReplicaSet", "replicasets", { stopped: { replicas: 0 } }),
  kind("v1", "ReplicationController", "replicationcontrollers", { stopped: { replicas: 0 } }),
  pods, // those of operators too, who are stopped and cannot make them again
];

function scalesToNone({ spec }: KubernetesObject): boolean {
  return (spec as { minReplicas?: number } | undefined)?.minReplicas === 0;
}

/**
 * Stops an object. Returns the field of its spec by which it ran, `spec` when it ran by being there; undefined when it was
 * stopped already, or stops with what owns it. One that somebody else changes at this moment may run on.
 * FAILED_PRECONDITION when the cluster does not let it be stopped.
 */
export async function stop(
  cluster: ClusterWrites,
  type: RunningKind,
  object: KubernetesObject,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  if (type === pods ? isMirrorPod(object) : isMadeByCluster(type, object)) return undefined;
  const path = runsBy(type, object);
  if (!path) return undefined;
  const { namespace = "", name } = object.metadata;
  try {
    if (type.stopped) await cluster.patch(type, namespace, name, { spec: type.stopped }, signal);
    else await cluster.delete(type, namespace, name, signal);
  } catch (error) {
    if (!hasStatus(error, 409))
      throw new DrsError(
        "FAILED_PRECONDITION",
        `${type.kind} ${namespace}/${name} cannot be stopped: ${refusalOf(error)}; allow that, and restore again`,
        { id: "DRS-R039", cause: error },
      );
  }
  return path;
}

function runsBy({ stopped, runs }: RunningKind, object: KubernetesObject): readonly string[] | undefined {
  if (runs?.(object) === false) return undefined;
  if (!stopped) return object.metadata.deletionTimestamp === undefined ? ["spec"] : undefined;
  const spec = (object["spec"] ?? {}) as Record<string, unknown>;
  const differs = ([field, value]: [string, unknown]) =>
    // Clusters before 1.27 know no such policy: their claims stay in any case.
    !(field === "persistentVolumeClaimRetentionPolicy" && spec[field] === undefined) &&
    !(field === "template" ? holds(spec[field], value) : isDeepStrictEqual(spec[field], value));
  const field = Object.entries(stopped).find(differs)?.[0];
  return field === undefined ? undefined : ["spec", field];
}

/** Whether a value has all members of another one. */
function holds(value: unknown, members: unknown): boolean {
  if (typeof members !== "object" || members === null) return value === members;
  return Object.entries(members).every(([name, member]) =>
    holds((value as Record<string, unknown> | undefined)?.[name], member),
  );
}

const makesPods = new Set(["ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"]);

/**
 * The reason why an object runs again after it was stopped, in words: its name, and who has set the field by which it runs.
 * Undefined for a pod of a workload, which is reported itself.
 */
export function whoStarts(type: RunningKind, object: KubernetesObject, path: readonly string[]): string | undefined {
  const { namespace = "", name, ownerReferences } = object.metadata;
  const controller = ownerReferences?.find((owner) => owner.controller === true);
  if (type === pods && makesPods.has(controller?.kind ?? "")) return undefined;
  const who = managersOf(object, path).join(" and ") || "someone";
  const what = type.stopped ? `${path.join(".")} is set by ${who}` : `made by ${who}`;
  const whose = controller ? `, for ${controller.kind} ${controller.name}` : "";
  return `${type.kind} ${namespace}/${name} (${what}${whose})`;
}
