import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";

/** Helm puts this label on whatever it installs. https://helm.sh/docs/chart_best_practices/labels/ */
export const helmLabel = "app.kubernetes.io/managed-by=Helm";

/** Whether a Helm release in one of these namespaces has installed an object. */
export function isOfRelease(namespaces: ReadonlySet<string>, { metadata }: KubernetesObject): boolean {
  const { labels = {}, annotations = {} } = metadata;
  return (
    labels["app.kubernetes.io/managed-by"] === "Helm" &&
    namespaces.has(annotations["meta.helm.sh/release-namespace"] ?? "")
  );
}
