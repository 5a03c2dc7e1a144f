import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

/** Left by the controllers that bound the old claim; a new one with these would wait for a volume that is not its own. */
const bindingAnnotations = [
  "pv.kubernetes.io/bind-completed",
  "pv.kubernetes.io/bound-by-controller",
  "volume.kubernetes.io/storage-provisioner",
  "volume.beta.kubernetes.io/storage-provisioner",
  "volume.kubernetes.io/selected-node",
];

/** A claim that was bound, as one that no volume belongs to yet. */
export function sanitizeClaim(claim: KubernetesObject): void {
  const spec = claim["spec"] as Record<string, unknown>;
  for (const field of ["volumeName", "dataSource", "dataSourceRef"]) delete spec[field];
  if (spec["storageClassName"] !== "") delete spec["selector"];
  for (const annotation of bindingAnnotations) delete claim.metadata.annotations?.[annotation];
}
