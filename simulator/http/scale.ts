import { badRequest } from "../objects/api-error.ts";
import { isFields } from "../objects/json.ts";
import type { Workload } from "../objects/kinds.ts";
import type { KubernetesObject } from "../objects/kubernetes-object.ts";
import { selectorText } from "../objects/label-selector.ts";

/** The `scale` subresource of a workload or custom resource. */
export function scaleOf(object: KubernetesObject): KubernetesObject {
  const { metadata, spec, status } = object as Workload;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, ...(namespace ? { namespace } : {}), uid, resourceVersion, creationTimestamp },
    spec: { replicas: spec?.replicas ?? 0 },
    status: { replicas: status?.["replicas"] ?? 0, selector: selectorText(spec?.selector) },
  };
}

/** The object with the replica count of a `Scale`. */
export function withScale(object: KubernetesObject, scale: KubernetesObject): KubernetesObject {
  const spec = isFields(scale["spec"]) ? scale["spec"] : {};
  const replicas = spec["replicas"] ?? 0;
  if (typeof replicas !== "number" || replicas < 0) throw badRequest("spec.replicas must be a number of 0 or more");
  const { resourceVersion, uid } = scale.metadata ?? {};
  return {
    ...object,
    metadata: { ...object.metadata, ...(uid && { uid }), resourceVersion: resourceVersion ?? "" },
    spec: { ...(object as Workload).spec, replicas },
  };
}
