import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { MapName } from "../restoring-rules.ts";

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

/** A claim, a template of claims, or a volume, that names its class by the field; the given one when that is its class already. */
export function inClassNamed(claim: KubernetesObject, name: string): KubernetesObject {
  const { [classAnnotation]: annotated, ...annotations } = claim.metadata.annotations ?? {};
  const spec = claim["spec"] as { readonly storageClassName?: string };
  if (name === (annotated ?? spec.storageClassName)) return claim;
  const metadata = annotated === undefined ? claim.metadata : { ...claim.metadata, annotations };
  return { ...claim, metadata, spec: { ...spec, storageClassName: name } };
}

/** The same in the class that its own is replaced by; one without a class stays so. */
export function inMappedClass(claim: KubernetesObject, map: MapName): KubernetesObject {
  const name = classOf(claim);
  return name === "" ? claim : inClassNamed(claim, map(name));
}
