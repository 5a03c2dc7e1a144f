import type { KindRules } from "../kind-rules.ts";

export const ingressClass: KindRules = {
  name: "ingressclasses.networking.k8s.io",
  read: "get",
  users: [{ apiVersion: "networking.k8s.io/v1", resource: "ingresses" }],
  wave: "cluster",
};
