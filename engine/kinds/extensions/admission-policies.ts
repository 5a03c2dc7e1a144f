import type { KindRules } from "../kind-rules.ts";

/** They judge objects as they are made, and would refuse what they did not refuse when these were. */
export const admissionPolicies: readonly KindRules[] = [
  "mutatingadmissionpolicies.admissionregistration.k8s.io",
  "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
  "validatingadmissionpolicies.admissionregistration.k8s.io",
  "validatingadmissionpolicybindings.admissionregistration.k8s.io",
].map((name) => ({ name, wave: "policies" }));
