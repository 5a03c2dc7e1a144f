import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";
import type { ServiceClient } from "./webhooks.ts";

export const apiService: KindRules = {
  name: "apiservices.apiregistration.k8s.io",
  read: "list",
  isNeeded: (object, { namespaces }) => isServedBy(object, namespaces),
  isUsedOnlyBy: (object, { namespaces, isReleased }) => isReleased || isServedBy(object, namespaces),
  wave: "calls",
};

function isServedBy({ spec }: KubernetesObject, namespaces: ReadonlySet<string>): boolean {
  return namespaces.has((spec as ServiceClient | undefined)?.service?.namespace ?? "");
}
