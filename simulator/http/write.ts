import { badRequest, notFound, unsupportedMediaType } from "../objects/api-error.ts";
import type { Cluster } from "../cluster.ts";
import { createObject } from "../objects/create-object.ts";
import { deleteObject } from "../objects/delete-object.ts";
import type { DeleteOptions } from "../objects/delete-object.ts";
import { isFields } from "../objects/json.ts";
import { keyOf } from "../objects/kubernetes-object.ts";
import type { KubernetesObject, NewObject } from "../objects/kubernetes-object.ts";
import { objectText } from "../objects/object-text.ts";
import { apiVersionOf } from "../objects/resource.ts";
import type { Resource } from "../objects/resource.ts";
import { selection } from "../objects/selectors.ts";
import { replaceObject } from "../objects/update-object.ts";
import { listText } from "./list.ts";
import { jsonPatch, mergePatch } from "./patches.ts";
import type { Target } from "./request-path.ts";
import { scaleOf, withScale } from "./scale.ts";

export interface Reply {
  readonly status: number;
  readonly text: string;
}

const patchTypes = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
];

export function create(
  cluster: Cluster,
  { resource, namespace }: Target,
  query: URLSearchParams,
  body: unknown,
): Reply {
  const input = checkBody(resource, body);
  if (input.metadata.namespace && input.metadata.namespace !== namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  if (resource.namespaced && namespace === "") throw badRequest("an empty namespace may not be set during creation");
  const metadata = { ...input.metadata, ...(namespace === "" ? {} : { namespace }) };
  const object = createObject(cluster, resource, { ...input, metadata }, { dryRun: isDryRun(query) });
  return { status: 201, text: objectText(resource, object) };
}

export function replace(cluster: Cluster, target: Target, query: URLSearchParams, body: unknown): Reply {
  const { resource, subresource } = target;
  if (subresource !== "scale") return store(cluster, target, checkBody(resource, body) as KubernetesObject, query);
  const current = existing(cluster, target);
  const next = withScale(current, body as KubernetesObject);
  return store(cluster, target, next, query);
}

export function patch(cluster: Cluster, target: Target, query: URLSearchParams, type: string, body: unknown): Reply {
  if (!patchTypes.includes(type)) throw unsupportedMediaType(patchTypes);
  const { resource, namespace, name, subresource } = target;
  if (type === "application/apply-patch+yaml" && cluster.store.get(resource, `${namespace}/${name}`) === undefined) {
    if (subresource !== "") throw notFound(resource, name);
    return create(cluster, target, query, body);
  }
  const current = existing(cluster, target);
  const shown = subresource === "scale" ? scaleOf(current) : { ...current, apiVersion: apiVersionOf(resource) };
  const next = (type === patchTypes[0] ? jsonPatch(shown, body) : mergePatch(shown, body)) as KubernetesObject;
  return store(cluster, target, subresource === "scale" ? withScale(current, next) : next, query);
}

export function remove(cluster: Cluster, target: Target, query: URLSearchParams, body: unknown): Reply {
  const { resource, namespace, name } = target;
  const { object, gone } = deleteObject(cluster, resource, `${namespace}/${name}`, deleteOptions(query, body));
  if (!gone || object.kind === "Pod") return { status: 200, text: objectText(resource, object) };
  const group = resource.group === "" ? {} : { group: resource.group };
  const details = { name, ...group, kind: resource.plural, uid: object.metadata.uid };
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
  return { status: 200, text: JSON.stringify(status) };
}

export function removeAll(cluster: Cluster, target: Target, query: URLSearchParams, body: unknown): Reply {
  const { resource, namespace } = target;
  const objects = [...cluster.store.list(resource, namespace)].filter(selection(resource, query));
  const options = deleteOptions(query, body);
  for (const object of objects) {
    // A controller may have removed it meanwhile.
    if (cluster.store.get(resource, keyOf(object))) deleteObject(cluster, resource, keyOf(object), options);
  }
  return { status: 200, text: listText(resource, objects, { resourceVersion: String(cluster.store.revision) }) };
}

/** Asks a pod to go, as a drain does; disruption budgets are not looked at. */
export function evict(cluster: Cluster, target: Target): Reply {
  deleteObject(cluster, target.resource, `${target.namespace}/${target.name}`);
  return {
    status: 201,
    text: JSON.stringify({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }),
  };
}

export function existing({ store }: Cluster, { resource, namespace, name }: Target): KubernetesObject {
  const object = store.get(resource, `${namespace}/${name}`);
  if (object === undefined) throw notFound(resource, name);
  return object;
}

function store(cluster: Cluster, target: Target, next: KubernetesObject, query: URLSearchParams): Reply {
  const { resource, namespace, name, subresource } = target;
  const reach = subresource === "status" ? "status" : "object";
  const stored = replaceObject(cluster, resource, `${namespace}/${name}`, next, { reach, dryRun: isDryRun(query) });
  return {
    status: 200,
    text: subresource === "scale" ? JSON.stringify(scaleOf(stored)) : objectText(resource, stored),
  };
}

function checkBody(resource: Resource, body: unknown): NewObject {
  const apiVersion = apiVersionOf(resource);
  if (!isFields(body)) throw badRequest("the object provided is unrecognized (must be a JSON object)");
  const given = { apiVersion, kind: resource.kind, ...body };
  if (given.apiVersion !== apiVersion || given.kind !== resource.kind) {
    const expected = `${apiVersion}, Kind=${resource.kind}`;
    throw badRequest(`${given.apiVersion}, Kind=${given.kind} does not match the expected ${expected}`);
  }
  return { ...given, metadata: isFields(body["metadata"]) ? body["metadata"] : {} };
}

function deleteOptions(query: URLSearchParams, body: unknown): DeleteOptions {
  const given = (isFields(body) ? body : {}) as Omit<DeleteOptions, "dryRun"> & { readonly dryRun?: readonly string[] };
  const { gracePeriodSeconds = query.get("gracePeriodSeconds"), propagationPolicy = query.get("propagationPolicy") } =
    given;
  return {
    dryRun: isDryRun(query) || given.dryRun?.includes("All") === true,
    ...(gracePeriodSeconds === null ? {} : { gracePeriodSeconds: Number(gracePeriodSeconds) }),
    ...(propagationPolicy === null ? {} : { propagationPolicy: propagationPolicy as "Background" }),
    ...(given.preconditions ? { preconditions: given.preconditions } : {}),
  };
}

function isDryRun(query: URLSearchParams): boolean {
  return query.getAll("dryRun").includes("All");
}
