import type { Registry } from "../objects/registry.ts";
import type { Resource } from "../objects/resource.ts";

/** What a path under `/api` or `/apis` names. */
export interface Target {
  readonly resource: Resource;
  /** Empty for cluster-scoped kinds and for a list of all namespaces. */
  readonly namespace: string;
  /** Empty for the collection. */
  readonly name: string;
  readonly subresource: string;
}

/** Finds what a path names; undefined when nothing is served there. */
export function parsePath(path: string, registry: Registry): Target | undefined {
  const [root, ...parts] = path.split("/").slice(1).map(decodeURIComponent);
  if (root !== "api" && root !== "apis") return undefined;
  const group = root === "api" ? "" : (parts.shift() ?? "");
  const [version = "", ...rest] = parts;
  const [first, namespace = "", plural = "", name = "", subresource = ""] = rest;
  if (first === "namespaces" && plural !== "") {
    const resource = registry.find(group, version, plural);
    if (resource?.namespaced) return checked({ resource, namespace, name, subresource }, rest.length - 2);
  }
  const resource = registry.find(group, version, first ?? "");
  if (resource === undefined) return undefined;
  return checked({ resource, namespace: "", name: rest[1] ?? "", subresource: rest[2] ?? "" }, rest.length);
}

function checked(target: Target, length: number): Target | undefined {
  const { resource, namespace, name, subresource } = target;
  if (length > 3 || (subresource !== "" && !resource.subresources.includes(subresource))) return undefined;
  // A namespaced object needs its namespace; only the list may leave it out.
  return name !== "" && resource.namespaced && namespace === "" ? undefined : target;
}
