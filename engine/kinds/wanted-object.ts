import { asInGo } from "../kubernetes/exact-json.ts";
import { type KubernetesObject, resourceName } from "../kubernetes/kubernetes-object.ts";
import { isFinishedJob, suspended } from "./batch/finished-jobs.ts";
import { hasRun, isPaused } from "./apps/paused-deployments.ts";
import { scaledWorkloads } from "./restore-order.ts";
import { sanitize } from "./sanitize.ts";
import { withDefaultsOnly } from "./core/limit-range.ts";
import { inVersion, type ServedType } from "./served-types.ts";

/**
 * The body with which the restore makes an archived object, but for its owners: the one that PRE_VALIDATION tries is the
 * one that is sent later. What runs as soon as it exists is made so that it does not run: a workload with a replica count
 * with none, and not paused if it had pods, a finished job suspended; of limit ranges the defaults come first. With `started`, limit ranges
 * are whole, and a workload has its saved replica count from the beginning: some policies take no workload without replicas.
 */
export function wantedObject(
  type: ServedType,
  archived: KubernetesObject,
  { started = false }: { readonly started?: boolean } = {},
): KubernetesObject {
  const object = inVersion(sanitize(type, archived), type.apiVersion);
  const name = resourceName(type);
  if (name === "jobs.batch" && isFinishedJob(archived)) return suspended(object);
  if (name === "limitranges") return started ? object : withDefaultsOnly(object);
  if (name === "controllerrevisions.apps") return { ...object, data: asInGo(object["data"]) };
  if (!scaledWorkloads.includes(name)) return object;
  const spec = object["spec"] as { replicas?: number };
  const paused = isPaused(archived) && !hasRun(archived) ? true : undefined;
  return { ...object, spec: { ...spec, replicas: started ? (spec.replicas ?? 1) : 0, paused } };
}
