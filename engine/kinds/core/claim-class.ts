import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

/** Where a claim named its class before there was a field for it. */
export const classAnnotation = "volume.beta.kubernetes.io/storage-class";

/**
 * The storage class of a claim, or of a volume, as Kubernetes reads it: the old annotation comes before the field. Empty for
 * one without a class.
 * https://github.com/kubernetes/component-helpers/blob/master/storage/volume/helpers.go
 */
export function classOf({ metadata, ...object }: KubernetesObject): string {
  const { storageClassName } = (object["spec"] ?? {}) as { storageClassName?: string };
  return metadata.annotations?.[classAnnotation] ?? storageClassName ?? "";
}
