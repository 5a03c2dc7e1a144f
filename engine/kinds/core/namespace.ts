import { type ObjectMeta, type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";

/** The API server labels each namespace with its name. */
export const nameLabel = "kubernetes.io/metadata.name";

export const namespace: KindRules = {
  name: "namespaces",
  isOfCluster: true,
  read: "get",
  isNeeded: ({ metadata }, { namespaces }) => namespaces.has(metadata.name),
  wave: "volumes",
  strip: (object) => delete object["spec"],
  isNeverRecreated: true,
  staysWhenAdded: "nothing that the restore created is left in it",
  copy: (object) => ({ ...object, metadata: without("labels", object.metadata, (name) => name === nameLabel) }),
};

/** Whether a kind is that of namespaces. */
export function isNamespace(type: Pick<ResourceType, "apiVersion" | "resource">): boolean {
  return resourceName(type) === namespace.name;
}

/** Metadata without some of the labels or annotations. */
export function without(
  field: "labels" | "annotations",
  { [field]: marks = {}, ...metadata }: ObjectMeta,
  isOut: (name: string) => boolean,
): ObjectMeta {
  const left = Object.entries(marks).filter(([name]) => !isOut(name));
  return left.length === 0 ? metadata : { ...metadata, [field]: Object.fromEntries(left) };
}
