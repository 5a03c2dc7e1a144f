import type { KindRules } from "../kind-rules.ts";

export const resourceQuota: KindRules = {
  name: "resourcequotas",
  wave: "quotas",
  relaxed({ spec }) {
    const { hard = {} } = (spec ?? {}) as { hard?: object };
    return Object.keys(hard).length > 0 ? { hard: null } : undefined;
  },
};
