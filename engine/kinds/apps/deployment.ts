import type { KindRules } from "../kind-rules.ts";
import { availableReplicas, dropReplicas, withoutReplicas } from "./replicas.ts";
import { dropRevisionCounts } from "./revision-counts.ts";

export const deployment: KindRules = {
  name: "deployments.apps",
  wave: "workloads",
  make: withoutReplicas,
  isScaled: true,
  ownsPods: true,
  readiness: availableReplicas,
  compare(rest) {
    dropRevisionCounts(rest);
    dropReplicas(rest);
  },
};
