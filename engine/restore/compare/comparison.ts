import { createHash } from "node:crypto";
import { canonicalJson } from "../../kubernetes/exact-json.ts";
import {
  groupOf,
  type KubernetesObject,
  type ObjectMeta,
  type OwnerReference,
  resourceName,
} from "../../kubernetes/kubernetes-object.ts";
import { hasEnded, isFinishedJob } from "../../kinds/batch/finished-jobs.ts";
import { scaledWorkloads } from "../../kinds/restore-order.ts";
import { sanitize } from "../../kinds/sanitize.ts";
import type { ServedType } from "../../kinds/served-types.ts";

/**
 * A digest of what a restore is responsible for: two objects of a kind with the same one are the same, apart from what the
 * API server and the cluster's controllers set, and what STOPPING_APPS changes and STARTING_APPS puts back.
 */
export function digestOf(type: ServedType, object: KubernetesObject): string {
  const { apiVersion: _version, kind: _kind, ...rest } = sanitize(type, object);
  const name = resourceName(type);
  forKind[name]?.(rest, object);
  if (scaledWorkloads.includes(name)) delete (rest["spec"] as { replicas?: number }).replicas;
  for (const field of ["labels", "annotations"] as const)
    if (Object.keys(rest.metadata[field] ?? {}).length === 0) delete rest.metadata[field];
  const text = canonicalJson([rest, ownersOf(object)]);
  return createHash("sha256").update(text).digest("base64").slice(0, 24);
}

interface Rest {
  metadata: ObjectMeta;
  [field: string]: unknown;
}

const forKind: Readonly<Record<string, (rest: Rest, object: KubernetesObject) => void>> = {
  "deployments.apps": dropRevisions,
  "replicasets.apps": dropRevisions,
  "daemonsets.apps": dropRevisions,
  "controllerrevisions.apps": (rest) => delete rest["revision"],
  /** Of a job that has not finished the progress counts: what it had done after the backup has to be done again. */
  "jobs.batch"(rest, object) {
    const spec = rest["spec"] as { suspend?: boolean };
    // One that has finished is not stopped: it is suspended where it was made so, and its suspension could not be ended.
    const { suspend = false } = spec;
    delete spec.suspend;
    const { succeeded, failed, completedIndexes, failedIndexes } = (object["status"] ?? {}) as Record<string, unknown>;
    rest["progress"] = isFinishedJob(object)
      ? ["finished", suspend]
      : [succeeded, failed, completedIndexes, failedIndexes];
  },
  pods(rest, object) {
    rest["hasEnded"] = hasEnded(object);
  },
};

/** The API server counts with it how often a daemon set's template was changed. */
const daemonSetGeneration = "deprecated.daemonset.template.generation";

/** Revisions count how often a workload was rolled out, by its controller; `tidyRevisions` sees to that. */
function dropRevisions({ metadata }: Rest): void {
  const annotations = Object.entries(metadata.annotations ?? {}).filter(
    ([name]) => !name.startsWith("deployment.kubernetes.io/") && name !== daemonSetGeneration,
  );
  if (annotations.length > 0) metadata.annotations = Object.fromEntries(annotations);
  else delete metadata.annotations;
}

/** Owners are the same by name: their uids are the cluster's. */
function ownersOf({ metadata: { ownerReferences = [] } }: KubernetesObject): readonly string[] {
  return ownerReferences.map(ownerName).sort();
}

function ownerName({ apiVersion, kind, name, controller = false }: OwnerReference): string {
  return `${kind}.${groupOf(apiVersion)}/${name}/${controller}`;
}

/** A digest of a status, as far as the object has one. */
export function statusDigest({ status }: KubernetesObject): string {
  return createHash("sha256")
    .update(canonicalJson(status ?? null))
    .digest("base64")
    .slice(0, 24);
}
