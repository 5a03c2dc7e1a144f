import type { KindRules } from "../kind-rules.ts";
import { callsInto, callsServiceOf, webhooksOf } from "./webhooks.ts";

const rules: Omit<KindRules, "name"> = {
  read: "list",
  isNeeded: (object, { namespaces }) => callsServiceOf(object, namespaces),
  othersIn: (object, namespaces) =>
    webhooksOf(object)
      .filter((webhook) => !callsInto(webhook, namespaces))
      .map(({ name }) => `what webhook ${name} calls`),
  wave: "calls",
};

export const mutatingWebhookConfiguration: KindRules = {
  ...rules,
  name: "mutatingwebhookconfigurations.admissionregistration.k8s.io",
};

export const validatingWebhookConfiguration: KindRules = {
  ...rules,
  name: "validatingwebhookconfigurations.admissionregistration.k8s.io",
};
