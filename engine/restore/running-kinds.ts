import { isDeepStrictEqual } from "node:util";
import { DrsError } from "../errors.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { managersOf } from "../kubernetes/field-managers.ts";
import { hasStatus } from "../kubernetes/kubernetes-error.ts";
import type { KubernetesObject, ResourceType } from "../kubernetes/kubernetes-object.ts";
import { refusalOf } from "./object-restorer.ts";
import { isMadeByCluster, isMirrorPod } from "../objects/object-selection.ts";

/** A kind that runs, or lets others run. */
export interface RunningKind extends ResourceType {
  /** What an object's spec says when it is stopped. Absent: it is stopped by its deletion. */
  readonly stopped?: Readonly<Record<string, unknown>>;
}

const kind = (apiVersion: string, kind: string, resource: string, stopped?: RunningKind["stopped"]): RunningKind => ({
  apiVersion,
  kind,
  resource,
  namespaced: true,
  ...(stopped && { stopped }),
});

export const pods = kind("v1", "Pod", "pods");

const claimsStay = { whenDeleted: "Retain", whenScaled: "Retain" };

/** What is stopped, in this order: autoscalers first, or they would scale up again. */
export const runningKinds: readonly RunningKind[] = [
  kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
  kind("batch/v1", "CronJob", "cronjobs", { suspend: true }),
  kind("batch/v1", "Job", "jobs"),
  kind("apps/v1", "Deployment", "deployments", { replicas: 0 }),
  kind("apps/v1", "StatefulSet", "statefulsets", { replicas: 0, persistentVolumeClaimRetentionPolicy: claimsStay }),
  kind("apps/v1", "DaemonSet", "daemonsets"),
  kind("apps/v1", "ReplicaSet", "replicasets", { replicas: 0 }),
  kind("v1", "ReplicationController", "replicationcontrollers", { replicas: 0 }),
  pods, // those of operators too, who are stopped and cannot make them again
];

/**
 * Stops an object. Gives the field of its spec by which it ran, `spec` when it ran by being there; undefined when it was
 * stopped already, or stops with what owns it. One that somebody else changes at this moment may run on.
 * FAILED_PRECONDITION when the cluster does not let it be stopped.
 */
export async function stop(
  cluster: Cluster,
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
        `${type.kind} ${namespace}/${name} cannot be stopped: ${refusalOf(error)}; see to it that the cluster lets it be stopped, and restore again`,
        { cause: error },
      );
  }
  return path;
}

function runsBy({ stopped }: RunningKind, object: KubernetesObject): readonly string[] | undefined {
  if (!stopped) return object.metadata.deletionTimestamp === undefined ? ["spec"] : undefined;
  const spec = (object["spec"] ?? {}) as Record<string, unknown>;
  const differs = ([field, value]: [string, unknown]) =>
    // Clusters before 1.27 know no such policy: their claims stay in any case.
    !(field === "persistentVolumeClaimRetentionPolicy" && spec[field] === undefined) &&
    !isDeepStrictEqual(spec[field], value);
  const field = Object.entries(stopped).find(differs)?.[0];
  return field === undefined ? undefined : ["spec", field];
}

const makesPods = new Set(["ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"]);

/**
 * What keeps an object running that had been stopped before, in words: its name, and who has set the field by which it runs.
 * Undefined for a pod of a workload, which is told itself.
 */
export function whoStarts(type: RunningKind, object: KubernetesObject, path: readonly string[]): string | undefined {
  const { namespace = "", name, ownerReferences } = object.metadata;
  const controller = ownerReferences?.find((owner) => owner.controller === true);
  if (type === pods && makesPods.has(controller?.kind ?? "")) return undefined;
  const who = managersOf(object, path).join(" and ") || "somebody";
  const what = type.stopped ? `${path.join(".")} is set by ${who}` : `made by ${who}`;
  const whose = controller ? `, for ${controller.kind} ${controller.name}` : "";
  return `${type.kind} ${namespace}/${name} (${what}${whose})`;
}
