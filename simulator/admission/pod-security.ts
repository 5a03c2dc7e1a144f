import { forbidden } from "../objects/api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { Pod } from "../objects/kinds.ts";
import type { KubernetesObject } from "../objects/kubernetes-object.ts";
import { builtIn } from "../objects/registry.ts";

/** Refuses a pod that its namespace's label does not allow: of each level one of its checks. */
export function admitPod(object: KubernetesObject, { store, podSecurityDefault }: Cluster): void {
  const { metadata, spec } = object as Pod & {
    spec?: { hostNetwork?: boolean; securityContext?: { runAsNonRoot?: boolean } };
  };
  const labels = store.get(builtIn("namespaces"), `/${metadata.namespace}`)?.metadata.labels ?? {};
  const level = labels["pod-security.kubernetes.io/enforce"] ?? podSecurityDefault;
  const version = labels["pod-security.kubernetes.io/enforce-version"] ?? "latest";
  const violations = [
    ...(level !== "privileged" && spec?.hostNetwork === true ? ["host namespaces (hostNetwork=true)"] : []),
    ...(level === "restricted" && spec?.securityContext?.runAsNonRoot !== true
      ? ["runAsNonRoot != true (pod must set securityContext.runAsNonRoot=true)"]
      : []),
  ];
  if (violations.length === 0) return;
  const why = `violates PodSecurity "${level}:${version}": ${violations.join(", ")}`;
  throw forbidden(builtIn("pods"), metadata.name, why);
}
