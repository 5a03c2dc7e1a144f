import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { mapTargets } from "../core/addresses.ts";
import type { KindRules } from "../kind-rules.ts";

const slicedBy = "endpointslice.kubernetes.io/managed-by";

export const endpointSlice: KindRules = {
  name: "endpointslices.discovery.k8s.io",
  isMadeByCluster: ({ metadata: { labels = {} } }) =>
    /^endpointslice(mirroring)?-controller\.k8s\.io$/.test(labels[slicedBy] ?? ""),
  /** Mirrored slices are made out of Endpoints. */
  endpointsOf: ({ namespace = "", labels = {} }) =>
    labels[slicedBy]?.includes("mirroring") === true
      ? undefined
      : `${namespace}/${labels["kubernetes.io/service-name"] ?? ""}`,
  wave: "bindings",
  comesAndGoes: true,
  copy: (object, map) => mapTargets(object, map) as KubernetesObject,
};
