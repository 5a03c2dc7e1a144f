import type { KindRules } from "../kind-rules.ts";

export const ingressClass: KindRules = {
  name: "ingressclasses.networking.k8s.io",
  read: "get",
  users: [{ apiVersion: "networking.k8s.io/v1", resource: "ingresses" }],
  wave: "cluster",
  /** Of two the API server refuses ingresses: https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class */
  defaultMarks: ["ingressclass.kubernetes.io/is-default-class"],
};
