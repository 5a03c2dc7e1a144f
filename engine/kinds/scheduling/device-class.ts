import type { KindRules } from "../kind-rules.ts";

export const deviceClass: KindRules = {
  name: "deviceclasses.resource.k8s.io",
  read: "get",
  users: ["resourceclaims", "resourceclaimtemplates"].map((resource) => ({
    apiVersion: "resource.k8s.io/v1",
    resource,
  })),
  wave: "cluster",
};
