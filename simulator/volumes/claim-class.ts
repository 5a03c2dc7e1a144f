import type { Claim } from "../objects/kinds.ts";

export const classAnnotation = "volume.beta.kubernetes.io/storage-class";

/** The storage class of a claim; the annotation comes before the field. */
export function classOf({ metadata, spec }: Claim): string {
  return metadata.annotations?.[classAnnotation] ?? spec?.storageClassName ?? "";
}
