import { DrsError } from "../errors.ts";
import { persistentVolumeClaims, pods, volumeSnapshots } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { type RoleRef, subjectsOf } from "./cluster-scoped-needs.ts";
import { type PodSpec, podTemplateOf } from "./pod-template.ts";

type Kind = Pick<ResourceType, "apiVersion" | "resource">;
type Uses = (user: KubernetesObject) => boolean;

const roleBindings = { apiVersion: "rbac.authorization.k8s.io/v1", resource: "rolebindings" };
const clusterRoleBindings = { apiVersion: "rbac.authorization.k8s.io/v1", resource: "clusterrolebindings" };
const withPods: readonly Kind[] = [
  pods,
  ...["deployments", "statefulsets", "daemonsets", "replicasets"].map((resource) => ({
    apiVersion: "apps/v1",
    resource,
  })),
  ...["jobs", "cronjobs"].map((resource) => ({ apiVersion: "batch/v1", resource })),
];

/** The kinds that are looked through, in all namespaces where the service may, for users of a cluster-scoped object. */
export const kindsOfUsers: readonly Kind[] = [roleBindings, persistentVolumeClaims, volumeSnapshots, ...withPods];

/**
 * Whether nobody outside some namespaces depends on a cluster-scoped object, so that it may be changed for their sake. What
 * the service has no right to look at, and kinds it knows nothing about, count as used by others.
 */
export async function isUsedOnlyBy(
  namespaces: ReadonlySet<string>,
  cluster: Cluster,
  type: Kind,
  object: KubernetesObject,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, labels = {}, annotations = {} } = object.metadata;
  /** Whether all that uses it, of some kinds, is in the namespaces. */
  const areOurs = async (kinds: readonly Kind[], uses: Uses): Promise<boolean> => {
    for (const kind of kinds)
      for await (const user of cluster.list(kind, "", signal))
        if (!namespaces.has(user.metadata.namespace ?? "") && uses(user)) return false;
    return true;
  };
  const inPods = (field: keyof PodSpec) => areOurs(withPods, (user) => podTemplateOf(user)?.spec?.[field] === name);
  const bindsIt: Uses = (binding) => {
    const role = binding["roleRef"] as RoleRef;
    return role.kind === "ClusterRole" && role.name === name;
  };
  try {
    switch (resourceName(type)) {
      case "clusterroles.rbac.authorization.k8s.io":
        return (
          !Object.keys(labels).some((label) => label.startsWith("rbac.authorization.k8s.io/aggregate-to-")) &&
          (await areOurs([roleBindings], bindsIt)) &&
          (await areOurs([clusterRoleBindings], (binding) => bindsIt(binding) && !bindsOnly(binding, namespaces)))
        );
      case "clusterrolebindings.rbac.authorization.k8s.io":
        return bindsOnly(object, namespaces);
      case "customresourcedefinitions.apiextensions.k8s.io":
        return await areOurs([definedBy(object)], () => true);
      case "priorityclasses.scheduling.k8s.io":
        return object["globalDefault"] !== true && (await inPods("priorityClassName"));
      case "runtimeclasses.node.k8s.io":
        return await inPods("runtimeClassName");
      case "storageclasses.storage.k8s.io":
        return (
          annotations["storageclass.kubernetes.io/is-default-class"] !== "true" &&
          (await areOurs(
            [persistentVolumeClaims],
            ({ spec }) => (spec as { storageClassName?: string }).storageClassName === name,
          ))
        );
      case "volumesnapshotclasses.snapshot.storage.k8s.io":
        return (
          annotations["snapshot.storage.kubernetes.io/is-default-class"] !== "true" &&
          (await areOurs(
            [volumeSnapshots],
            ({ spec }) => (spec as { volumeSnapshotClassName?: string }).volumeSnapshotClassName === name,
          ))
        );
      case "apiservices.apiregistration.k8s.io": {
        const { service } = (object["spec"] ?? {}) as { service?: { namespace?: string } };
        return namespaces.has(service?.namespace ?? "");
      }
      default:
        return false;
    }
  } catch (error) {
    if (error instanceof DrsError && error.code !== "UNAVAILABLE") return false;
    throw error;
  }
}

/** Whether a binding gives rights to nobody but service accounts of the namespaces. */
function bindsOnly(binding: KubernetesObject, namespaces: ReadonlySet<string>): boolean {
  return subjectsOf(binding).every(
    ({ kind, namespace = "" }) => kind === "ServiceAccount" && namespaces.has(namespace),
  );
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
