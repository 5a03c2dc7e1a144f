import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { firmly } from "../reference.ts";
import type { NamespacedName, Reference } from "../saving-rules.ts";
import { type PodTemplate, podTemplateOf } from "./pod-template.ts";

/** The cluster-scoped objects that pods name. */
export function classesOfPods(template: PodTemplate | undefined): readonly Reference[] {
  return [
    firmly("priorityclasses.scheduling.k8s.io", template?.spec?.priorityClassName),
    firmly("runtimeclasses.node.k8s.io", template?.spec?.runtimeClassName),
  ];
}

/** The account of an object's pods; none for one that has no pods. */
export function accountOfPods(object: KubernetesObject): readonly NamespacedName[] {
  const template = podTemplateOf(object);
  if (!template) return [];
  const { serviceAccountName = "default" } = template.spec ?? {};
  return [{ resource: "serviceaccounts", name: serviceAccountName as string }];
}
