import type { KindRules } from "../kind-rules.ts";
import { podKinds } from "./pod-kinds.ts";

/** https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/ */
const ofEveryCluster = ["system-cluster-critical", "system-node-critical"];

export const priorityClass: KindRules = {
  name: "priorityclasses.scheduling.k8s.io",
  read: "get",
  isInEveryCluster: (name) => ofEveryCluster.includes(name),
  users: podKinds,
  wave: "cluster",
  saidToBeMissing: /no PriorityClass with name (\S+) was found/,
};
