import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";

interface Limit {
  readonly type: string;
  readonly default?: object;
  readonly defaultRequest?: object;
}

export const limitRange: KindRules = {
  name: "limitranges",
  wave: "settings",
  make: (object, _archived, { started }) => (started ? object : withDefaultsOnly(object)),
  relaxed(object) {
    const { spec } = withDefaultsOnly(object);
    return JSON.stringify(spec) === JSON.stringify(object["spec"]) ? undefined : (spec as object);
  },
};

/** The limit range with its defaults alone: restored objects get them, and may be older than the limits they exceed. */
function withDefaultsOnly(limitRange: KubernetesObject): KubernetesObject {
  const { limits = [] } = limitRange["spec"] as { limits?: Limit[] };
  const defaults = limits
    .filter((limit) => limit.default !== undefined || limit.defaultRequest !== undefined)
    .map(({ type, default: limit, defaultRequest }) => ({
      type,
      ...(limit && { default: limit }),
      ...(defaultRequest && { defaultRequest }),
    }));
  return { ...limitRange, spec: { limits: defaults } };
}
