import type { KindRules } from "../kind-rules.ts";

export const role: KindRules = { name: "roles.rbac.authorization.k8s.io", wave: "roles" };
