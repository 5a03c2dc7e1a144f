import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { hasEnded } from "../../kinds/core/pod.ts";
import { levelInWords, podSecurityOf } from "../../kinds/core/pod-security.ts";
import { sanitize } from "../../kinds/sanitize.ts";
import { KubernetesError } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { nameOf } from "../../objects/object-names.ts";
import { workloadOf } from "../../kinds/apps/pod-workload.ts";

const pods: ResourceType = { apiVersion: "v1", kind: "Pod", resource: "pods", namespaced: true };

/**
 * Warns of each workload in the namespaces whose pods run, and would be refused by Pod Security if they were created now: it is
 * down when its node fails. One pod of each is tried. May run again.
 */
export async function tellInadmissiblePods(
  { cluster }: Pick<JobDeps, "cluster">,
  { signal, warn }: JobContext,
  namespaces: readonly KubernetesObject[],
): Promise<void> {
  for (const namespace of namespaces) {
    const { name } = namespace.metadata;
    const level = levelInWords(podSecurityOf(namespace));
    const tried = new Set<string>();
    for await (const pod of cluster.list(pods, name, signal)) {
      const workload = workloadOf(pod) ?? { type: pods, name: pod.metadata.name };
      const what = nameOf("", workload.type, workload.name);
      if (tried.has(what) || hasEnded(pod) || pod.metadata.deletionTimestamp !== undefined) continue;
      tried.add(what);
      const violation = await violationOf({ cluster }, pod, signal);
      if (violation !== undefined)
        warn(
          "DRS-R090",
          name,
          `${what} runs, but its pods would be refused if they were created again, because the namespace's label pod-security.kubernetes.io/enforce is ${level}: ${violation}; change the workload or the label`,
        );
    }
  }
}

/** Pod Security's refusal of a running pod; undefined when there is none. */
async function violationOf(
  { cluster }: Pick<JobDeps, "cluster">,
  pod: KubernetesObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { metadata, ...rest } = sanitize(pods, pod);
  const { name, namespace = "", ...others } = metadata;
  const copy = { ...rest, apiVersion: "v1", kind: "Pod", metadata: { ...others, namespace, generateName: `${name}-` } };
  try {
    await cluster.dryRun.create(pods, namespace, JSON.stringify(copy), signal);
    return undefined;
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.code === "UNAVAILABLE") throw error;
    return /violates PodSecurity .*/.exec(error.detail)?.[0];
  }
}
