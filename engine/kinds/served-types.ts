import type { DiscoveredResource, Discovery } from "../kubernetes/discovery.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";

/** A saved kind as the cluster serves it. */
export type ServedType = ResourceType & Pick<DiscoveredResource, "hasStatus">;

/** The type under which the cluster serves a saved kind: its own version, or else the preferred one. Undefined: not at all. */
export function servedType(discovery: Discovery, saved: ResourceType): ServedType | undefined {
  const name = resourceName(saved);
  const [preferred = ""] = discovery.versionsOf(name);
  const served = discovery.inVersion(name, saved.apiVersion) ?? discovery.inVersion(name, preferred);
  return served && { ...saved, apiVersion: served.apiVersion, hasStatus: served.hasStatus };
}

/** An object as one of another version of its kind. Whether its fields fit is the API server's to say. */
export function inVersion(object: KubernetesObject, apiVersion: string): KubernetesObject {
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}
