import { DrsError } from "../errors.ts";
import { persistentVolumeClaims, pods, volumeSnapshots } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { groupOf, type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { aggregatedTo, selectorsOf } from "../kinds/rbac/aggregated-roles.ts";
import { matches } from "../kubernetes/label-selector.ts";
import { isOfRelease } from "./belongings.ts";
import { referencesOf } from "./references.ts";
import { isAccountOf, type RoleRef, subjectsOf } from "../kinds/rbac/subjects.ts";

type Kind = Pick<ResourceType, "apiVersion" | "resource">;
type Uses = (user: KubernetesObject) => boolean;

const rbac = "rbac.authorization.k8s.io/v1";
const roleBindings = { apiVersion: rbac, resource: "rolebindings" };
const clusterRoleBindings = { apiVersion: rbac, resource: "clusterrolebindings" };
const clusterRoles = { apiVersion: rbac, resource: "clusterroles" };
const withPods: readonly Kind[] = [
  pods,
  ...["deployments", "statefulsets", "daemonsets", "replicasets"].map((resource) => ({
    apiVersion: "apps/v1",
    resource,
  })),
  ...["jobs", "cronjobs"].map((resource) => ({ apiVersion: "batch/v1", resource })),
];

/** The kinds whose objects name those of a cluster-scoped kind. A kind in the group of what it names is in its version, too. */
const users: Readonly<Record<string, readonly Kind[]>> = {
  "priorityclasses.scheduling.k8s.io": withPods,
  "runtimeclasses.node.k8s.io": withPods,
  "storageclasses.storage.k8s.io": [persistentVolumeClaims],
  "volumeattributesclasses.storage.k8s.io": [persistentVolumeClaims],
  "volumesnapshotclasses.snapshot.storage.k8s.io": [volumeSnapshots],
  "ingressclasses.networking.k8s.io": [{ apiVersion: "networking.k8s.io/v1", resource: "ingresses" }],
  "deviceclasses.resource.k8s.io": ["resourceclaims", "resourceclaimtemplates"].map((resource) => ({
    apiVersion: "resource.k8s.io/v1",
    resource,
  })),
  "gatewayclasses.gateway.networking.k8s.io": [{ apiVersion: "gateway.networking.k8s.io/v1", resource: "gateways" }],
};

/** Marks a class as the one for whoever names none, whom nobody can tell. */
const defaultAnnotations = [
  "storageclass.kubernetes.io/is-default-class",
  "snapshot.storage.kubernetes.io/is-default-class",
  "ingressclass.kubernetes.io/is-default-class",
];

/** The kinds that are looked through, in all namespaces where the service may, for users of a cluster-scoped object. */
export const kindsOfUsers: readonly Kind[] = [...new Set([roleBindings, ...Object.values(users).flat()])];

/**
 * Whether nobody outside some namespaces depends on a cluster-scoped object, so that it may be changed for their sake. What
 * the service has no right to look at, and kinds it knows nothing about, count as used by others, but for what a Helm release in
 * the namespaces has installed.
 */
export async function isUsedOnlyBy(
  namespaces: ReadonlySet<string>,
  cluster: Cluster,
  type: Kind,
  object: KubernetesObject,
  signal: AbortSignal,
): Promise<boolean> {
  const resource = resourceName(type);
  const isReleased = isOfRelease(namespaces, object);
  /** Whether all that uses it, of some kinds, is in the namespaces. */
  const areOurs = async (kinds: readonly Kind[], uses: Uses): Promise<boolean> => {
    for (const kind of kinds)
      for await (const user of cluster.list(kind, "", signal))
        if (!namespaces.has(user.metadata.namespace ?? "") && uses(user)) return false;
    return true;
  };
  try {
    switch (resource) {
      case "clusterroles.rbac.authorization.k8s.io":
        return await isRoleOf(namespaces, areOurs, object, isReleased);
      case "clusterrolebindings.rbac.authorization.k8s.io":
        return isReleased || bindsOnly(object, namespaces);
      case "customresourcedefinitions.apiextensions.k8s.io":
        return await areOurs([definedBy(object)], () => true);
      case "apiservices.apiregistration.k8s.io": {
        const { service } = (object["spec"] ?? {}) as { service?: { namespace?: string } };
        return isReleased || namespaces.has(service?.namespace ?? "");
      }
      default: {
        const kinds = (users[resource] ?? []).map((user) => inVersionOf(type, user));
        if (kinds.length === 0) return isReleased;
        if (isForAnybody(object)) return false;
        for (const kind of kinds) {
          const names: Uses = (user) =>
            referencesOf(kind, user).some((it) => it.resource === resource && it.name === object.metadata.name);
          if (!(await areOurs([kind], names))) return false;
        }
        return true;
      }
    }
  } catch (error) {
    if (error instanceof DrsError && error.code !== "UNAVAILABLE") return false;
    throw error;
  }
}

/** Whether all who have a cluster role's rights are accounts of the namespaces, also through roles that collect its rules. */
async function isRoleOf(
  namespaces: ReadonlySet<string>,
  areOurs: (kinds: readonly Kind[], uses: Uses) => Promise<boolean>,
  role: KubernetesObject,
  isReleased: boolean,
): Promise<boolean> {
  const seen = new Set<string>();
  for (const roles = [role]; ;) {
    const next = roles.pop();
    if (!next) return true;
    if (seen.has(next.metadata.name)) continue;
    seen.add(next.metadata.name);
    if (aggregatedTo(next).length > 0 && !(isReleased && next === role)) return false;
    const bindsIt: Uses = (binding) => {
      const { kind, name } = binding["roleRef"] as RoleRef;
      return kind === "ClusterRole" && name === next.metadata.name;
    };
    const bindsItToOthers: Uses = (binding) => bindsIt(binding) && !bindsOnly(binding, namespaces);
    if (!(await areOurs([roleBindings], bindsIt)) || !(await areOurs([clusterRoleBindings], bindsItToOthers)))
      return false;
    await areOurs([clusterRoles], (other) => {
      const isOfCluster = other.metadata.labels?.["kubernetes.io/bootstrapping"] !== undefined;
      if (
        !(isReleased && isOfCluster) &&
        selectorsOf(other).some((selector) => matches(selector, next.metadata.labels))
      )
        roles.push(other);
      return false;
    });
  }
}

/** Whether it is for those, too, who do not name it. */
function isForAnybody({ metadata: { annotations = {} }, ...object }: KubernetesObject): boolean {
  const { extendedResourceName } = (object["spec"] ?? {}) as { extendedResourceName?: string };
  return (
    object["globalDefault"] === true ||
    extendedResourceName !== undefined ||
    defaultAnnotations.some((name) => annotations[name] === "true")
  );
}

/** A kind of the same group is asked for in the version that is known to be served. */
function inVersionOf(type: Kind, kind: Kind): Kind {
  return groupOf(type.apiVersion) === groupOf(kind.apiVersion) ? { ...kind, apiVersion: type.apiVersion } : kind;
}

/** Whether a binding gives rights to nobody but service accounts of the namespaces. */
function bindsOnly(binding: KubernetesObject, namespaces: ReadonlySet<string>): boolean {
  return subjectsOf(binding).every((subject) => isAccountOf(namespaces, subject));
}

/** The kind that a definition defines, in a version that is served. */
function definedBy(definition: KubernetesObject): Kind {
  const { group, names, versions } = definition["spec"] as {
    group: string;
    names: { plural: string };
    versions: { name: string; served: boolean; storage: boolean }[];
  };
  const version = versions.find(({ served, storage }) => served && storage) ?? versions.find(({ served }) => served);
  return { apiVersion: `${group}/${version?.name ?? ""}`, resource: names.plural };
}
