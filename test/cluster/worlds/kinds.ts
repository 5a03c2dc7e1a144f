import { apiPath, type KubernetesObject } from "../support/kubernetes-client.ts";

/** The kinds that worlds are made of, and that their pictures show; definitions of a world's own come on top. */
export const namespacedKinds = [
  "v1/configmaps",
  "v1/secrets",
  "v1/serviceaccounts",
  "v1/services",
  "v1/endpoints",
  "v1/pods",
  "v1/persistentvolumeclaims",
  "v1/resourcequotas",
  "v1/limitranges",
  "apps/v1/deployments",
  "apps/v1/statefulsets",
  "apps/v1/daemonsets",
  "apps/v1/replicasets",
  "batch/v1/jobs",
  "batch/v1/cronjobs",
  "autoscaling/v2/horizontalpodautoscalers",
  "policy/v1/poddisruptionbudgets",
  "networking.k8s.io/v1/ingresses",
  "networking.k8s.io/v1/networkpolicies",
  "discovery.k8s.io/v1/endpointslices",
  "rbac.authorization.k8s.io/v1/roles",
  "rbac.authorization.k8s.io/v1/rolebindings",
  "snapshot.storage.k8s.io/v1/volumesnapshots",
] as const;

/** A world's cluster-scoped objects have its name in theirs. */
export const clusterScopedKinds = [
  "v1/namespaces",
  "v1/persistentvolumes",
  "apiextensions.k8s.io/v1/customresourcedefinitions",
  "scheduling.k8s.io/v1/priorityclasses",
  "rbac.authorization.k8s.io/v1/clusterroles",
  "rbac.authorization.k8s.io/v1/clusterrolebindings",
  "admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
  "admissionregistration.k8s.io/v1/validatingadmissionpolicies",
  "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
] as const;

/** The path of a kind, written `apps/v1/deployments`. */
export function pathOfKind(kind: string, namespace?: string): string {
  const slash = kind.lastIndexOf("/");
  return apiPath({ apiVersion: kind.slice(0, slash), resource: kind.slice(slash + 1) }, namespace);
}

/** An object's path, or that of its collection. */
export function pathOf({ apiVersion, kind, metadata }: KubernetesObject, part: "object" | "collection"): string {
  return apiPath(
    { apiVersion, resource: plural(kind) },
    metadata.namespace,
    part === "object" ? metadata.name : undefined,
  );
}

function plural(kind: string): string {
  const name = kind.toLowerCase();
  if (name.endsWith("y")) return `${name.slice(0, -1)}ies`;
  if (name.endsWith("ss")) return `${name}es`;
  return name.endsWith("s") ? name : `${name}s`;
}

/** By what an object is known before and after a restore: `Deployment.apps w1/web`, `PersistentVolume of w1/data`. */
export function keyOf({ apiVersion, kind, metadata, spec }: KubernetesObject): string {
  const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[0]}` : "";
  const claim = kind === "PersistentVolume" ? spec?.claimRef : undefined;
  if (claim) return `${kind} of ${claim.namespace}/${claim.name}`;
  return `${kind}${group} ${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${metadata.name}`;
}
