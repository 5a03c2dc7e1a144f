import type { KindRules } from "../kind-rules.ts";
import { podKinds } from "./pod-kinds.ts";

export const runtimeClass: KindRules = {
  name: "runtimeclasses.node.k8s.io",
  read: "get",
  users: podKinds,
  wave: "cluster",
  saidToBeMissing: /RuntimeClass "([^"]+)" not found/,
};
