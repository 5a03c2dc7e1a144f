import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { inMappedClass } from "../core/claim-class.ts";
import { accountOfPods } from "../core/pod-references.ts";
import type { KindRules } from "../kind-rules.ts";
import { dropReplicas, readyReplicas, withoutReplicas } from "./replicas.ts";

interface StatefulSetSpec {
  readonly serviceName?: string;
  readonly volumeClaimTemplates?: readonly KubernetesObject[];
}

export const statefulSet: KindRules = {
  name: "statefulsets.apps",
  needs(object) {
    const { serviceName = "" } = (object["spec"] ?? {}) as StatefulSetSpec;
    return [{ resource: "services", name: serviceName }, ...accountOfPods(object)];
  },
  /** https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage */
  claimPrefixes({ metadata: { name }, spec }) {
    const { volumeClaimTemplates = [] } = spec as StatefulSetSpec;
    return volumeClaimTemplates.map(({ metadata }) => `${metadata.name}-${name}-`);
  },
  wave: "workloads",
  make: withoutReplicas,
  isScaled: true,
  ownsPods: true,
  readiness: { ...readyReplicas, countsLostPods: true },
  compare: dropReplicas,
  /** Its replicas to come name the class, too. */
  inOtherClasses(object, map) {
    const spec = object["spec"] as StatefulSetSpec;
    const { volumeClaimTemplates } = spec;
    if (!volumeClaimTemplates) return object;
    const templates = volumeClaimTemplates.map((template) => inMappedClass(template, map));
    const isSame = templates.every((template, index) => template === volumeClaimTemplates[index]);
    return isSame ? object : { ...object, spec: { ...spec, volumeClaimTemplates: templates } };
  },
};
