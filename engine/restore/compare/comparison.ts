import { createHash } from "node:crypto";
import { canonicalJson } from "../../kubernetes/exact-json.ts";
import { groupOf, type KubernetesObject, type OwnerReference } from "../../kubernetes/kubernetes-object.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import { sanitize } from "../../kinds/sanitize.ts";
import type { ServedType } from "../../kinds/served-types.ts";

/**
 * A digest of what a restore is responsible for: two objects of a kind with the same one are the same, apart from what the
 * API server and the cluster's controllers set, and what STOPPING_APPS changes and STARTING_APPS puts back.
 */
export function digestOf(type: ServedType, object: KubernetesObject): string {
  const { apiVersion: _version, kind: _kind, ...rest } = sanitize(type, object);
  rulesOf(type).compare?.(rest, object);
  for (const field of ["labels", "annotations"] as const)
    if (Object.keys(rest.metadata[field] ?? {}).length === 0) delete rest.metadata[field];
  const text = canonicalJson([rest, ownersOf(object)]);
  return createHash("sha256").update(text).digest("base64").slice(0, 24);
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
