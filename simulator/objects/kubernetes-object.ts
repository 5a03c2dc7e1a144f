/** An object of the API as the simulator sees it: what it knows by name, and whatever else it holds. */
export interface KubernetesObject {
  kind: string;
  apiVersion: string;
  metadata: Metadata;
  [field: string]: unknown;
}

export interface Metadata {
  name: string;
  generateName?: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
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

/** What a client or a controller wants to create: the server adds the rest. */
export interface NewObject {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: Partial<Metadata>;
  readonly [field: string]: unknown;
}

/** `namespace/name`, or `/name` in no namespace. */
export type ObjectKey = string;

export function keyOf({
  metadata,
}: {
  readonly metadata: { readonly namespace?: string; readonly name: string };
}): ObjectKey {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

export function splitKey(key: ObjectKey): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export function isDeleting(object: KubernetesObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

/** The reference of the controller that manages the object. */
export function controllerOf(object: KubernetesObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

/** Kubernetes' times: RFC 3339 to the second. */
export function timestamp(date = new Date()): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
