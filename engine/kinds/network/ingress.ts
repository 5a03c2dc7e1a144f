import type { KindRules } from "../kind-rules.ts";
import { firmly, loosely } from "../reference.ts";

export const ingress: KindRules = {
  name: "ingresses.networking.k8s.io",
  references({ metadata, spec }) {
    const { ingressClassName } = (spec ?? {}) as { ingressClassName?: string };
    return [
      firmly("ingressclasses.networking.k8s.io", ingressClassName),
      // Older than the classes: controllers know their name without one.
      loosely("ingressclasses.networking.k8s.io", metadata.annotations?.["kubernetes.io/ingress.class"]),
    ];
  },
  /** A copy would take the calls from outside from what it is a copy of. */
  isNotCopied: true,
};

/** OpenShift's. */
export const route: KindRules = { name: "routes.route.openshift.io", isNotCopied: true };
