import { type KubernetesObject, type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import type { PodTemplate } from "../core/pod-template.ts";

/** Workloads that replace pods of an older template by those of the newest. */
export const rollingKinds: readonly string[] = ["deployments.apps", "statefulsets.apps", "daemonsets.apps"];

interface Status {
  observedGeneration?: number;
  replicas?: number;
  availableReplicas?: number;
  readyReplicas?: number;
  updatedReplicas?: number;
  currentReplicas?: number;
  currentRevision?: string;
  updateRevision?: string;
  currentNumberScheduled?: number;
  updatedNumberScheduled?: number;
  numberReady?: number;
}

interface Spec {
  replicas?: number;
  paused?: boolean;
  template?: PodTemplate;
  updateStrategy?: { type?: string; rollingUpdate?: object };
}

/** A workload's status and spec, as far as roll-outs go. */
export function statusOf({ status }: KubernetesObject): Status {
  return status ?? {};
}
export function specOf({ spec }: KubernetesObject): Spec {
  return spec ?? {};
}

/** How many pods of a workload had its newest template, and how many an older one. A template that its controller had not seen yet does not count. */
export function podCounts(type: ResourceType, workload: KubernetesObject): { updated: number; older: number } {
  const status = statusOf(workload);
  const pods = status.replicas ?? status.currentNumberScheduled ?? 0;
  // A deployment has more pods than replicas while it rolls.
  const all = resourceName(type) === "statefulsets.apps" ? Math.min(pods, specOf(workload).replicas ?? 1) : pods;
  const isSeen = (status.observedGeneration ?? 0) >= Number(workload.metadata["generation"] ?? 0);
  const newest = status.updatedReplicas ?? status.updatedNumberScheduled ?? 0;
  const updated = isSeen ? Math.min(newest, all) : 0;
  return { updated, older: all - updated };
}

/** Whether a workload has pods of an older template, and pods that are up, which may be these. */
export function isInRollOut(type: ResourceType, workload: KubernetesObject): boolean {
  if (!rollingKinds.includes(resourceName(type))) return false;
  const { availableReplicas, readyReplicas, numberReady } = statusOf(workload);
  return (availableReplicas ?? readyReplicas ?? numberReady ?? 0) > 0 && podCounts(type, workload).older > 0;
}

/**
 * The part that a restore cannot bring back of a workload whose pods somebody deletes by hand when they must get the newest template:
 * which of them had it. Undefined when there is no such thing.
 * https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#on-delete
 */
export function mixedByHand(type: ResourceType, workload: KubernetesObject): string | undefined {
  if (specOf(workload).updateStrategy?.type !== "OnDelete" || !isInRollOut(type, workload)) return undefined;
  const { updated, older } = podCounts(type, workload);
  if (updated === 0) return undefined;
  const then =
    resourceName(type) === "daemonsets.apps"
      ? "gives all of them the older one; delete those that are to have the newest then"
      : "gives the newest one to those with the highest ordinals";
  return `${type.kind} ${workload.metadata.name} replaces its pods only when they are deleted, and ${updated} of ${updated + older} have its newest template: a restore cannot know which, and ${then}`;
}
