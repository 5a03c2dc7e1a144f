import { type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";
import { classOf, inMappedClass } from "./claim-class.ts";

export const persistentVolume: KindRules = {
  name: "persistentvolumes",
  isOfCluster: true,
  read: "get",
  noteNeeds(object, { staticClasses }) {
    if (object.metadata.annotations?.["pv.kubernetes.io/provisioned-by"] === undefined)
      staticClasses.add(classOf(object));
  },
  wave: "volumes",
  isNeverRecreated: true,
  staysWhenAdded: "its data lies elsewhere, and stays when it is deleted",
  isNotCopied: true,
  inOtherClasses: inMappedClass,
};

/** Whether a kind is that of volumes. */
export function isVolume(type: Pick<ResourceType, "apiVersion" | "resource">): boolean {
  return resourceName(type) === persistentVolume.name;
}
