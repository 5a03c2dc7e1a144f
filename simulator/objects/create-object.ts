import { randomUUID } from "node:crypto";
import { admit } from "../admission/admission.ts";
import { nameOf } from "../admission/names.ts";
import { omitEmpty } from "../admission/omit-empty.ts";
import { alreadyExists, forbidden, notFound, unexpected } from "./api-error.ts";
import type { Cluster } from "../cluster.ts";
import { copyJson } from "./json.ts";
import { isDeleting, keyOf, timestamp } from "./kubernetes-object.ts";
import type { KubernetesObject, Metadata, NewObject } from "./kubernetes-object.ts";
import { inOrder } from "./object-text.ts";
import { builtIn } from "./registry.ts";
import { apiVersionOf } from "./resource.ts";
import type { Resource } from "./resource.ts";

export interface WriteOptions {
  readonly dryRun?: boolean;
}

/** Kinds that may be created with a status, though they have the subresource. */
const keepStatus = new Set(["Node", "APIService"]);

/** Creates an object as the API server does, and returns it as stored. Throws `ApiError`. */
export function createObject(
  cluster: Cluster,
  resource: Resource,
  input: NewObject,
  { dryRun = false }: WriteOptions = {},
): KubernetesObject {
  const { metadata, ...content } = copyJson(input);
  if (metadata.resourceVersion) throw unexpected("resourceVersion should not be set on objects to be created");
  const name = nameOf(resource, metadata);
  const namespace = resource.namespaced ? (metadata.namespace ?? "") : "";
  if (namespace !== "") checkNamespace(cluster, resource, namespace, name);
  const given = omitEmpty(resource, { ...content, metadata: newMetadata(resource, metadata, namespace, name) });
  const object = inOrder(resource, { ...given, apiVersion: apiVersionOf(resource) });
  if (resource.subresources.includes("status") && !keepStatus.has(object.kind)) delete object["status"];
  admit(resource, object, cluster);
  if (cluster.store.get(resource, keyOf(object)) !== undefined) throw alreadyExists(resource, name);
  return dryRun ? object : cluster.store.put(resource, object);
}

/** Creates objects of any served kinds, in order. */
export function createAll(cluster: Cluster, objects: Iterable<NewObject>): void {
  for (const object of objects) {
    const resource = cluster.registry.ofKind(object.apiVersion, object.kind);
    if (resource === undefined) throw new Error(`no kind ${object.apiVersion} ${object.kind}`);
    createObject(cluster, resource, object);
  }
}

function checkNamespace({ store }: Cluster, resource: Resource, namespace: string, name: string): void {
  const namespaces = builtIn("namespaces");
  const found = store.get(namespaces, `/${namespace}`);
  if (found === undefined) throw notFound(namespaces, namespace);
  if (!isDeleting(found)) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const message = `namespace ${namespace} is being terminated`;
  throw forbidden(resource, name, why, [{ reason: "NamespaceTerminating", message, field: "metadata.namespace" }]);
}

function newMetadata(resource: Resource, given: Partial<Metadata>, namespace: string, name: string): Metadata {
  const { generateName, labels, annotations, ownerReferences, finalizers } = given;
  return {
    name,
    ...(generateName ? { generateName } : {}),
    ...(namespace === "" ? {} : { namespace }),
    uid: randomUUID(),
    resourceVersion: "",
    ...(resource.generation ? { generation: 1 } : {}),
    creationTimestamp: timestamp(),
    ...(labels ? { labels } : {}),
    ...(annotations ? { annotations } : {}),
    ...(ownerReferences ? { ownerReferences } : {}),
    ...(finalizers ? { finalizers } : {}),
  };
}
