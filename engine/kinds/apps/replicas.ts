import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { Comparable, HowToMake, Readiness } from "../restoring-rules.ts";
import { hasRun, isPaused } from "./paused-deployments.ts";

/**
 * A workload without replicas, so that it does not run, and not paused if it had pods. Started it has its saved replica count from
 * the beginning: some policies take no workload without replicas.
 */
export function withoutReplicas(
  workload: KubernetesObject,
  archived: KubernetesObject,
  { started }: HowToMake,
): KubernetesObject {
  const spec = workload["spec"] as { replicas?: number };
  const paused = isPaused(archived) && !hasRun(archived) ? true : undefined;
  return { ...workload, spec: { ...spec, replicas: started ? (spec.replicas ?? 1) : 0, paused } };
}

/** STOPPING_APPS takes replicas away, and STARTING_APPS gives them back. */
export function dropReplicas(rest: Comparable): void {
  delete (rest["spec"] as { replicas?: number }).replicas;
}

interface Status {
  readonly availableReplicas?: number;
  readonly readyReplicas?: number;
}

const wantedReplicas = ({ spec }: KubernetesObject) => ((spec ?? {}) as { replicas?: number }).replicas ?? 1;

export const readyReplicas: Readiness = {
  up: ({ status }) => (status as Status | undefined)?.readyReplicas ?? 0,
  whole: wantedReplicas,
};

export const availableReplicas: Readiness = {
  up: ({ status }) => (status as Status | undefined)?.availableReplicas ?? 0,
  whole: wantedReplicas,
};
