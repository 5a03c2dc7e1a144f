import { dropReplicas, readyReplicas, withoutReplicas } from "../apps/replicas.ts";
import type { KindRules } from "../kind-rules.ts";

export const replicationController: KindRules = {
  name: "replicationcontrollers",
  wave: "workloads",
  make: withoutReplicas,
  isScaled: true,
  ownsPods: true,
  readiness: readyReplicas,
  compare: dropReplicas,
};
