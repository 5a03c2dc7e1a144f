import { checkImmutable } from "../admission/immutable-fields.ts";
import { omitEmpty } from "../admission/omit-empty.ts";
import { badRequest, conflict, modified, notFound } from "./api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { WriteOptions } from "./create-object.ts";
import { copyJson, sameJson } from "./json.ts";
import type { KubernetesObject, Metadata, ObjectKey } from "./kubernetes-object.ts";
import { splitKey } from "./kubernetes-object.ts";
import { inOrder } from "./object-text.ts";
import { apiVersionOf } from "./resource.ts";
import type { Resource } from "./resource.ts";

/** What of an object an update reaches: the object without its status, only the status, or both (controllers). */
export type Reach = "object" | "status" | "all";

/** Replaces an object as the API server does; one whose last finalizer goes while it is deleted is removed. */
export function replaceObject(
  { store }: Cluster,
  resource: Resource,
  key: ObjectKey,
  next: KubernetesObject,
  { reach = "object", dryRun = false }: WriteOptions & { readonly reach?: Reach } = {},
): KubernetesObject {
  const { name } = splitKey(key);
  const current = store.get(resource, key);
  if (current === undefined) throw notFound(resource, name);
  checkIdentity(resource, current, next);
  const hasStatus = resource.subresources.includes("status");
  const content: KubernetesObject =
    reach === "status" ? { ...current, status: next["status"] } : { ...omitEmpty(resource, next) };
  if (reach === "object" && hasStatus) setOrDelete(content, "status", current["status"]);
  content.apiVersion = apiVersionOf(resource);
  content.metadata = nextMetadata(current, content);
  checkImmutable(resource, current, content);
  if (sameJson(content, current)) return current;
  if (resource.generation && !sameJson(specOf(content), specOf(current))) {
    content.metadata.generation = (current.metadata.generation ?? 0) + 1;
  }
  const object = inOrder(resource, content);
  if (dryRun) return object;
  if (isFinished(object)) {
    store.remove(resource, key);
    return object;
  }
  return store.put(resource, object);
}

/** Changes a copy of an object and stores it when that made a difference; nothing when the object is gone. */
export function changeObject<T extends KubernetesObject>(
  cluster: Cluster,
  resource: Resource,
  key: ObjectKey,
  change: (copy: T) => void,
): void {
  const current = cluster.store.get<T>(resource, key);
  if (current === undefined) return;
  const copy = copyJson(current);
  change(copy);
  replaceObject(cluster, resource, key, copy, { reach: "all" });
}

/** Whether nothing holds an object that is being deleted any more. */
export function isFinished(object: KubernetesObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  if (deletionTimestamp === undefined || (finalizers?.length ?? 0) > 0 || deletionGracePeriodSeconds) return false;
  const spec = object["spec"] as { readonly finalizers?: readonly string[] } | undefined;
  return object.kind !== "Namespace" || (spec?.finalizers?.length ?? 0) === 0;
}

function checkIdentity(resource: Resource, current: KubernetesObject, next: KubernetesObject): void {
  const { name, namespace, uid, resourceVersion } = next.metadata;
  if (name !== undefined && name !== current.metadata.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${current.metadata.name})`);
  }
  if (namespace && namespace !== current.metadata.namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  if (uid && uid !== current.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`;
    throw conflict(resource, current.metadata.name, why);
  }
  if (resourceVersion && resourceVersion !== current.metadata.resourceVersion) {
    throw conflict(resource, current.metadata.name, modified);
  }
}

/** The new metadata with what only the server may say taken from the present one. */
function nextMetadata({ metadata: current }: KubernetesObject, { metadata: next }: KubernetesObject): Metadata {
  const metadata: Record<string, unknown> = {};
  for (const name of serverSet) if (current[name] !== undefined) metadata[name] = current[name];
  for (const name of ["labels", "annotations", "ownerReferences", "finalizers"] as const) {
    if (next[name] && Object.keys(next[name]).length > 0) metadata[name] = next[name];
  }
  return metadata as Metadata;
}

const serverSet: readonly (keyof Metadata)[] = [
  "name",
  "generateName",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
];

/** All of an object that counts as its wish: what changes here is a new generation. */
function specOf(object: KubernetesObject): object {
  return { ...object, metadata: undefined, status: undefined };
}

function setOrDelete(object: KubernetesObject, field: string, value: unknown): void {
  if (value === undefined) delete object[field];
  else object[field] = value;
}
