import { isControlledByPod } from "../core/pod.ts";
import type { KindRules } from "../kind-rules.ts";
import { firmly } from "../reference.ts";
import type { Reference } from "../saving-rules.ts";

export const resourceClaim: KindRules = {
  name: "resourceclaims.resource.k8s.io",
  /** One of a template: its pod makes it. */
  isMadeByCluster: isControlledByPod,
  references: ({ spec }) => deviceClassesOf(spec ?? {}),
};

export const resourceClaimTemplate: KindRules = {
  name: "resourceclaimtemplates.resource.k8s.io",
  references: ({ spec }) => deviceClassesOf(((spec ?? {}) as { spec?: DeviceRequests }).spec ?? {}),
};

/** https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/, in all its versions. */
interface DeviceRequests {
  devices?: { requests?: (DeviceRequest & { exactly?: DeviceRequest; firstAvailable?: DeviceRequest[] })[] };
}
interface DeviceRequest {
  deviceClassName?: string;
}

function deviceClassesOf({ devices }: DeviceRequests): readonly Reference[] {
  return (devices?.requests ?? [])
    .flatMap(({ deviceClassName, exactly, firstAvailable = [] }) => [
      deviceClassName,
      exactly?.deviceClassName,
      ...firstAvailable.map((request) => request.deviceClassName),
    ])
    .map((name) => firmly("deviceclasses.resource.k8s.io", name));
}
