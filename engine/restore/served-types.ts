import type { Discovery } from "../kubernetes/discovery.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";

/** The type under which the cluster serves a saved kind: its own version, or else the preferred one. Undefined: not at all. */
export function servedType(discovery: Discovery, saved: ResourceType): ResourceType | undefined {
  const versions = discovery.versionsOf(resourceName(saved));
  const apiVersion = versions.includes(saved.apiVersion) ? saved.apiVersion : versions[0];
  return apiVersion === undefined ? undefined : { ...saved, apiVersion };
}

/** An object as one of another version of its kind. Whether its fields fit is the API server's to say. */
export function inVersion(object: KubernetesObject, apiVersion: string): KubernetesObject {
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}
