import { asInGo } from "../../kubernetes/exact-json.ts";
import { podTemplateOf } from "../core/pod-template.ts";
import { classesOfPods } from "../core/pod-references.ts";
import type { KindRules } from "../kind-rules.ts";

export const controllerRevision: KindRules = {
  name: "controllerrevisions.apps",
  revisionsOf: ["StatefulSet", "DaemonSet"],
  /** It holds a part of the workload. */
  references: (object) => classesOfPods(podTemplateOf({ ...object, ...(object["data"] as object | undefined) })),
  wave: "revisions",
  /** Its controller knows it by the very bytes of its data. */
  make: (object) => ({ ...object, data: asInGo(object["data"]) }),
  compare: (rest) => delete rest["revision"],
  comesAndGoes: true,
};
