import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: PodSpec;
}

export interface PodSpec {
  priorityClassName?: string;
  runtimeClassName?: string;
  [field: string]: unknown;
}

/** The pod that an object is, or makes: of a pod, a workload, a job or a cron job. */
export function podTemplateOf(object: KubernetesObject): PodTemplate | undefined {
  const spec = object["spec"] as
    | { template?: PodTemplate; jobTemplate?: { spec?: { template?: PodTemplate } }; containers?: unknown }
    | undefined;
  if (spec?.containers !== undefined) return object;
  return spec?.template ?? spec?.jobTemplate?.spec?.template;
}
