import { type KubernetesObject, type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";
import { firmly, loosely } from "../reference.ts";
import { classOf, inMappedClass } from "./claim-class.ts";
import { isControlledByPod } from "./pod.ts";

export const claim: KindRules = {
  name: "persistentvolumeclaims",
  /** A generic ephemeral volume: its pod makes it. */
  isMadeByCluster: isControlledByPod,
  /** With its volume it is in use as long as a pod has it. */
  staysWhileDeleted: isBound,
  references(object) {
    const spec = (object["spec"] ?? {}) as Record<string, unknown>;
    return [
      loosely("persistentvolumes", spec["volumeName"]),
      firmly("storageclasses.storage.k8s.io", classOf(object)),
      firmly("volumeattributesclasses.storage.k8s.io", spec["volumeAttributesClassName"]),
    ];
  },
  wave: "volumes",
  strip: sanitizeClaim,
  isNeverRecreated: true,
  inOtherClasses: inMappedClass,
  readiness: { up: (object) => (isBound(object) ? 1 : 0), whole: () => 1 },
};

/** Whether a kind is that of claims. */
export function isClaim(type: Pick<ResourceType, "apiVersion" | "resource">): boolean {
  return resourceName(type) === claim.name;
}

function isBound({ status }: KubernetesObject): boolean {
  return (status as { phase?: string } | undefined)?.phase === "Bound";
}

/** Left by the controllers that bound the old claim; a new one with these would wait for a volume that is not its own. */
const bindingAnnotations = [
  "pv.kubernetes.io/bind-completed",
  "pv.kubernetes.io/bound-by-controller",
  "volume.kubernetes.io/storage-provisioner",
  "volume.beta.kubernetes.io/storage-provisioner",
  "volume.kubernetes.io/selected-node",
];

/** A claim that was bound, as one that no volume belongs to yet. */
function sanitizeClaim(claim: KubernetesObject): void {
  const spec = claim["spec"] as Record<string, unknown>;
  for (const field of ["volumeName", "dataSource", "dataSourceRef"]) delete spec[field];
  if (spec["storageClassName"] !== "") delete spec["selector"];
  for (const annotation of bindingAnnotations) delete claim.metadata.annotations?.[annotation];
}
