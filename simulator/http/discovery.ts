import { reviewResources } from "../objects/built-in-resources.ts";
import type { Registry } from "../objects/registry.ts";
import { apiVersionOf } from "../objects/resource.ts";
import type { Resource } from "../objects/resource.ts";

export const version = {
  major: "1",
  minor: "35",
  gitVersion: "v1.35.4",
  gitCommit: "0000000000000000000000000000000000000000",
  gitTreeState: "clean",
  buildDate: "2026-04-14T00:00:00Z",
  goVersion: "go1.25.8",
  compiler: "gc",
  platform: "linux/amd64",
};

const objectVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const subresourceVerbs: Readonly<Record<string, readonly string[]>> = {
  eviction: ["create"],
  log: ["get"],
  finalize: ["update"],
  scale: ["get", "patch", "update"],
  status: ["get", "patch", "update"],
};
const subresourceKinds: Readonly<Record<string, object>> = {
  eviction: { group: "policy", version: "v1", kind: "Eviction" },
  scale: { group: "autoscaling", version: "v1", kind: "Scale" },
};

/** The discovery document of a path; undefined when the path has none. */
export function discovery(path: string, registry: Registry): object | undefined {
  const [root, group, version, ...rest] = path.replace(/\/$/, "").split("/").slice(1);
  if (rest.length > 0) return undefined;
  if (root === "api") {
    if (group === undefined) return coreVersions();
    return group === "v1" && version === undefined ? resourceList("", "v1", registry) : undefined;
  }
  if (root !== "apis") return undefined;
  if (group === undefined) return { kind: "APIGroupList", apiVersion: "v1", groups: groups(registry) };
  if (version !== undefined) return resourceList(group, version, registry);
  const found = groups(registry).find(({ name }) => name === group);
  return found && { kind: "APIGroup", apiVersion: "v1", ...found };
}

function coreVersions(): object {
  const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress: "127.0.0.1:443" }];
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs };
}

function groups(registry: Registry) {
  const versions = new Map<string, Set<string>>(reviewResources.map(({ group }) => [group, new Set(["v1"])]));
  for (const { group, version } of registry.all()) {
    if (group !== "") versions.set(group, (versions.get(group) ?? new Set()).add(version));
  }
  return [...versions].map(([name, served]) => {
    const all = [...served].map((version) => ({ groupVersion: `${name}/${version}`, version }));
    return { name, versions: all, preferredVersion: all[0] };
  });
}

function resourceList(group: string, version: string, registry: Registry): object | undefined {
  const resources = registry.all().filter((resource) => resource.group === group && resource.version === version);
  const reviews = version === "v1" ? reviewResources.filter((review) => review.group === group) : [];
  if (resources.length === 0 && reviews.length === 0) return undefined;
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: apiVersionOf({ group, version }),
    resources: [
      ...reviews.map(({ kind, plural }) => review(kind, plural)),
      ...resources.flatMap((resource) => [
        entry(resource),
        ...resource.subresources.map((sub) => subentry(resource, sub)),
      ]),
    ],
  };
}

function entry({ plural, singular, namespaced, kind, shortNames, categories }: Resource): object {
  return {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    // A namespace's content goes with it, so there is no deleting of all namespaces.
    verbs: plural === "namespaces" ? objectVerbs.filter((verb) => verb !== "deletecollection") : objectVerbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
  };
}

function subentry({ plural, namespaced, kind }: Resource, subresource: string): object {
  return {
    name: `${plural}/${subresource}`,
    singularName: "",
    namespaced,
    kind,
    ...subresourceKinds[subresource],
    verbs: subresourceVerbs[subresource],
  };
}

function review(kind: string, plural: string): object {
  return { name: plural, singularName: kind.toLowerCase(), namespaced: false, kind, verbs: ["create"] };
}
