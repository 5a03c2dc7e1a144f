import type { KindRules } from "../kind-rules.ts";
import { dropReplicas, readyReplicas, withoutReplicas } from "./replicas.ts";
import { dropRevisionCounts } from "./revision-counts.ts";

export const replicaSet: KindRules = {
  name: "replicasets.apps",
  revisionsOf: ["Deployment"],
  wave: "revisions",
  make: withoutReplicas,
  isScaled: true,
  ownsPods: true,
  readiness: readyReplicas,
  compare(rest) {
    dropRevisionCounts(rest);
    dropReplicas(rest);
  },
  comesAndGoes: true,
};
