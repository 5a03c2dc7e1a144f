import type { KindRules } from "../kind-rules.ts";
import { podTemplateOf } from "./pod-template.ts";
import { classesOfPods } from "./pod-references.ts";

export const podTemplate: KindRules = {
  name: "podtemplates",
  /** The template is its own, not its spec's. */
  references: (object) => classesOfPods(podTemplateOf({ ...object, spec: { template: object["template"] } })),
  wave: "settings",
};
