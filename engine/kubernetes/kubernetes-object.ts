import { DrsError } from "../errors.ts";

/** A Kubernetes object as JSON: what the engine looks at is named, all else is kept. */
export interface KubernetesObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/ */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  [field: string]: unknown;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** A kind of object as discovery names it, enough to make its paths. */
export interface ResourceType {
  /** `v1`, `apps/v1`. */
  readonly apiVersion: string;
  readonly kind: string;
  /** The plural in paths: `deployments`. */
  readonly resource: string;
  readonly namespaced: boolean;
}

/** The API group of an apiVersion; empty for the core group. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** `deployments.apps`, `configmaps`: a resource's name across versions, as kubectl and CustomResourceDefinitions spell it. */
export function resourceName(type: Pick<ResourceType, "apiVersion" | "resource">): string {
  const group = groupOf(type.apiVersion);
  return group === "" ? type.resource : `${type.resource}.${group}`;
}

/** The path of a resource's collection, or of one object in it. An empty namespace means all of them. INTERNAL for an empty name. */
export function resourcePath(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  namespace: string,
  name?: string,
  subresource?: string,
): string {
  // It would be the collection's path: a deletion of nothing in particular would delete all.
  if (name === "") throw new DrsError("INTERNAL", `a request for one of the ${resourceName(type)} names none`);
  const root = type.apiVersion.includes("/") ? `/apis/${type.apiVersion}` : `/api/${type.apiVersion}`;
  const scope = namespace === "" ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  const object = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${root}${scope}/${type.resource}${object}${subresource === undefined ? "" : `/${subresource}`}`;
}
