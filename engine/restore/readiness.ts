import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { waitFor } from "../kubernetes/waiting.ts";
import { listed } from "./listed.ts";

/** What STARTING_APPS waits for, of what was so when it was saved; a restore is COMPLETED only when all of them hold. */
export const successConditions: readonly string[] = [
  "every claim that was bound is bound",
  "every deployment that was available is available",
  "every stateful set that was ready is ready",
  "every daemon set that was ready is ready",
];

interface Status {
  phase?: string;
  observedGeneration?: number;
  availableReplicas?: number;
  readyReplicas?: number;
  updatedReplicas?: number;
  numberReady?: number;
  desiredNumberScheduled?: number;
}

/** Whether an object has come up: its controller has seen it as it is, and what it asks for is there. */
export function isReady(type: Pick<ResourceType, "apiVersion" | "resource">, object: KubernetesObject): boolean {
  const status = (object["status"] ?? {}) as Status;
  const { replicas = 1 } = (object["spec"] ?? {}) as { replicas?: number };
  if ((status.observedGeneration ?? 0) < Number(object.metadata["generation"] ?? 0)) return false;
  switch (resourceName(type)) {
    case "persistentvolumeclaims":
      return status.phase === "Bound";
    case "deployments.apps":
      return (status.availableReplicas ?? 0) >= replicas;
    case "statefulsets.apps":
    case "replicasets.apps":
    case "replicationcontrollers":
      return (status.readyReplicas ?? 0) >= replicas;
    case "daemonsets.apps":
      return status.desiredNumberScheduled !== undefined && (status.numberReady ?? 0) >= status.desiredNumberScheduled;
    default:
      return true;
  }
}

/** So often a long wait tells what it is for. */
const tellEveryMs = 30_000;

/**
 * Waits until the named objects of one kind and namespace are ready, telling from time to time in the job's log which are
 * not; gives those that are not in time.
 */
export async function notReady(
  { cluster, limits }: Pick<JobParts, "cluster" | "limits">,
  { signal, info }: JobContext,
  type: Pick<ResourceType, "apiVersion" | "kind" | "resource">,
  namespace: string,
  names: ReadonlySet<string>,
): Promise<readonly string[]> {
  const ready = new Set<string>();
  const see = (object: KubernetesObject, gone: boolean) => {
    const { name } = object.metadata;
    if (!names.has(name)) return;
    if (!gone && isReady(type, object)) ready.add(name);
    else ready.delete(name);
  };
  const end = Date.now() + limits.appsStartTimeout;
  for (;;) {
    ready.clear();
    const timeoutMs = Math.min(end - Date.now(), tellEveryMs, limits.appsStartTimeout / 4);
    if (await waitFor(cluster, { type, namespace, timeoutMs, signal }, see, () => ready.size === names.size)) return [];
    const missing = [...names].filter((name) => !ready.has(name));
    if (Date.now() >= end) return missing;
    info(`waiting for ${type.kind} ${listed(missing)} of ${namespace}`);
  }
}
