import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";

/** What STARTING_APPS waits for, of what was so when it was saved; a restore is COMPLETED only when all of them hold. */
export const successConditions: readonly string[] = [
  "every claim that was bound is bound",
  "every deployment has as many available pods as it had",
  "every stateful set has as many ready pods as it had",
  "every daemon set has as many ready pods as it had",
];

type Type = Pick<ResourceType, "apiVersion" | "resource">;

interface Status {
  phase?: string;
  observedGeneration?: number;
  availableReplicas?: number;
  readyReplicas?: number;
  numberReady?: number;
  desiredNumberScheduled?: number;
}

/** So much of an object is up: a workload's pods, or 1 for a claim that is bound. */
function upCount(type: Type, object: KubernetesObject): number {
  const status = (object["status"] ?? {}) as Status;
  switch (resourceName(type)) {
    case "persistentvolumeclaims":
      return status.phase === "Bound" ? 1 : 0;
    case "deployments.apps":
      return status.availableReplicas ?? 0;
    case "daemonsets.apps":
      return status.numberReady ?? 0;
    default:
      return status.readyReplicas ?? 0;
  }
}

/** So much of an object should be up now; of a daemon set none that its controller has not looked at yet. */
function wholeCount(type: Type, object: KubernetesObject): number {
  const { replicas = 1 } = (object["spec"] ?? {}) as { replicas?: number };
  const { desiredNumberScheduled } = (object["status"] ?? {}) as Status;
  switch (resourceName(type)) {
    case "persistentvolumeclaims":
      return 1;
    case "daemonsets.apps":
      return desiredNumberScheduled ?? Number.POSITIVE_INFINITY;
    default:
      return replicas;
  }
}

/**
 * How far an archived object was up, and so has to come up again. Undefined for one that is not waited for, as nothing of it
 * was up though it should have been.
 */
export function savedReadiness(type: Type, archived: KubernetesObject): number | undefined {
  const whole = wholeCount(type, archived);
  const up = Math.min(upCount(type, archived), whole);
  return up === 0 && whole > 0 ? undefined : up;
}

/**
 * Whether an object has come up as far as `wanted` says, or as far as it can by now: its controller has seen it as it is, and
 * of its pods so many are there that `lost` ones, which are on their way out, do not count.
 */
export function isUp(type: Type, object: KubernetesObject, wanted: number, lost = 0): boolean {
  const { observedGeneration = 0 } = (object["status"] ?? {}) as Status;
  // Claims have no generation.
  if (observedGeneration < Number(object.metadata["generation"] ?? 0)) return false;
  const whole = wholeCount(type, object);
  if (whole === Number.POSITIVE_INFINITY) return false;
  return upCount(type, object) - lost >= Math.min(wanted, whole);
}

/** Whether all that an object asks for is there, and its controller has seen it as it is. */
export function isReady(type: Type, object: KubernetesObject): boolean {
  return isUp(type, object, Number.POSITIVE_INFINITY);
}
