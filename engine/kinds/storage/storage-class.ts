import { type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import type { KindRules } from "../kind-rules.ts";

export const storageClass: KindRules = {
  name: "storageclasses.storage.k8s.io",
  read: "get",
  noteNeeds: ({ provisioner }, { drivers }) => drivers.add(provisioner),
  /** The volumes of a class that is nothing but a name have been made by hand. */
  mayBeOnlyAName: (name, { staticClasses }) => staticClasses.has(name),
  users: [persistentVolumeClaims],
  wave: "cluster",
  isForClaims: true,
  /** https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass */
  defaultMarks: ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"],
};

/** Whether a kind is that of storage classes. */
export function isStorageClass(type: Pick<ResourceType, "apiVersion" | "resource">): boolean {
  return resourceName(type) === storageClass.name;
}
