import type { KindRules } from "../kind-rules.ts";

/** After the workloads that they are about. */
export const podDisruptionBudget: KindRules = { name: "poddisruptionbudgets.policy", wave: "budgets" };

export const horizontalPodAutoscaler: KindRules = { name: "horizontalpodautoscalers.autoscaling", wave: "budgets" };
