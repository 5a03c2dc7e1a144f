import { groupOf, type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { classOf } from "../kinds/core/claim-class.ts";
import { podTemplateOf } from "../kinds/core/pod-template.ts";
import type { RoleRef } from "../kinds/rbac/subjects.ts";

/** A cluster-scoped object that another one names. */
export interface Reference {
  /** `storageclasses.storage.k8s.io` */
  readonly resource: string;
  readonly name: string;
  /** Whether the name means something even where there is no such object. */
  readonly isLoose: boolean;
}

export const definitions = "customresourcedefinitions.apiextensions.k8s.io";
const gatewayClasses = "gatewayclasses.gateway.networking.k8s.io";

/** The cluster-scoped objects that a namespaced one names, and the definition of its kind. */
export function referencesOf(
  type: Pick<ResourceType, "apiVersion" | "resource">,
  object: KubernetesObject,
): readonly Reference[] {
  const kind = resourceName(type);
  const references = named(kind, object);
  if (groupOf(type.apiVersion).includes(".")) references.push(loosely(definitions, kind));
  return references.filter(({ name }) => isName(name));
}

function named(kind: string, object: KubernetesObject): Reference[] {
  const spec = (object["spec"] ?? {}) as Record<string, unknown>;
  switch (kind) {
    case "persistentvolumeclaims":
      return [
        loosely("persistentvolumes", spec["volumeName"]),
        firmly("storageclasses.storage.k8s.io", classOf(object)),
        firmly("volumeattributesclasses.storage.k8s.io", spec["volumeAttributesClassName"]),
      ];
    case "rolebindings.rbac.authorization.k8s.io": {
      const role = object["roleRef"] as RoleRef | undefined;
      return role?.kind === "ClusterRole" ? [firmly("clusterroles.rbac.authorization.k8s.io", role.name)] : [];
    }
    case "ingresses.networking.k8s.io":
      return [
        firmly("ingressclasses.networking.k8s.io", spec["ingressClassName"]),
        // Older than the classes: controllers know their name without one.
        loosely("ingressclasses.networking.k8s.io", object.metadata.annotations?.["kubernetes.io/ingress.class"]),
      ];
    case "gateways.gateway.networking.k8s.io":
      return [firmly(gatewayClasses, spec["gatewayClassName"]), loosely(definitions, gatewayClasses)];
    case "resourceclaims.resource.k8s.io":
      return deviceClassesOf(spec);
    case "resourceclaimtemplates.resource.k8s.io":
      return deviceClassesOf(spec["spec"] ?? {});
    case "volumesnapshots.snapshot.storage.k8s.io":
      return [loosely("volumesnapshotclasses.snapshot.storage.k8s.io", spec["volumeSnapshotClassName"])];
    default: {
      // A pod template on its own is its object's; a controller revision holds a part of the workload.
      const { template, data } = object as { template?: unknown; data?: object };
      const holder = kind === "podtemplates" ? { ...object, spec: { template } } : object;
      const pod = podTemplateOf(kind === "controllerrevisions.apps" ? { ...object, ...data } : holder)?.spec;
      return [
        firmly("priorityclasses.scheduling.k8s.io", pod?.priorityClassName),
        firmly("runtimeclasses.node.k8s.io", pod?.runtimeClassName),
      ];
    }
  }
}

/** https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/, in all its versions. */
interface DeviceRequests {
  devices?: { requests?: (DeviceRequest & { exactly?: DeviceRequest; firstAvailable?: DeviceRequest[] })[] };
}
interface DeviceRequest {
  deviceClassName?: string;
}

function deviceClassesOf({ devices }: DeviceRequests): Reference[] {
  return (devices?.requests ?? [])
    .flatMap(({ deviceClassName, exactly, firstAvailable = [] }) => [
      deviceClassName,
      exactly?.deviceClassName,
      ...firstAvailable.map((request) => request.deviceClassName),
    ])
    .map((name) => firmly("deviceclasses.resource.k8s.io", name));
}

const firmly = (resource: string, name: unknown): Reference => ({ resource, name: name as string, isLoose: false });
const loosely = (resource: string, name: unknown): Reference => ({ resource, name: name as string, isLoose: true });

function isName(name: unknown): boolean {
  return typeof name === "string" && name !== "";
}
