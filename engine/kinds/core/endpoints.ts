import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";
import { mapTargets } from "./addresses.ts";

export const endpoints: KindRules = {
  name: "endpoints",
  isMadeByCluster: ({ metadata: { labels = {}, annotations = {} } }) =>
    "endpoints.kubernetes.io/managed-by" in labels || "endpoints.kubernetes.io/last-change-trigger-time" in annotations,
  endpointsOf: ({ namespace = "", name }) => `${namespace}/${name}`,
  wave: "bindings",
  comesAndGoes: true,
  copy: (object, map) => mapTargets(object, map) as KubernetesObject,
};
