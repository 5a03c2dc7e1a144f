import type { KubernetesObject, ResourceType } from "../kubernetes/kubernetes-object.ts";
import { readyReplicas } from "./apps/replicas.ts";
import { rulesOf } from "./kinds.ts";
import type { Readiness } from "./restoring-rules.ts";

/** The conditions that STARTING_APPS waits for, of objects that met them when saved; a restore is COMPLETED only when all of them hold. */
export const successConditions: readonly string[] = [
  "every claim that was bound is bound",
  "every deployment has as many available pods as it had",
  "every stateful set has as many ready pods as it had",
  "every daemon set has as many ready pods as it had",
];

type Type = Pick<ResourceType, "apiVersion" | "resource">;

function readinessOf(type: Type): Readiness {
  return rulesOf(type).readiness ?? readyReplicas;
}

/**
 * How far an archived object was up, and so has to come up again. Undefined for one that is not waited for, as nothing of it
 * was up though it should have been.
 */
export function savedReadiness(type: Type, archived: KubernetesObject): number | undefined {
  const readiness = readinessOf(type);
  const whole = readiness.whole(archived);
  const up = Math.min(readiness.up(archived), whole);
  return up === 0 && whole > 0 ? undefined : up;
}

/**
 * Whether an object has come up as far as `wanted` says, or as far as it can by now: its controller has seen it as it is, and
 * of its pods so many are there that `lost` ones, which are on their way out, do not count.
 */
export function isUp(type: Type, object: KubernetesObject, wanted: number, lost = 0): boolean {
  const { observedGeneration = 0 } = (object["status"] ?? {}) as { observedGeneration?: number };
  // Claims have no generation.
  if (observedGeneration < Number(object.metadata["generation"] ?? 0)) return false;
  const readiness = readinessOf(type);
  const whole = readiness.whole(object);
  if (whole === Number.POSITIVE_INFINITY) return false;
  return readiness.up(object) - lost >= Math.min(wanted, whole);
}

/** Whether all that an object asks for is there, and its controller has seen it as it is. */
export function isReady(type: Type, object: KubernetesObject): boolean {
  return isUp(type, object, Number.POSITIVE_INFINITY);
}
