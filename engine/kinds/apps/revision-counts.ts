import type { Comparable } from "../restoring-rules.ts";

/** The API server counts with it how often a daemon set's template was changed. */
const daemonSetGeneration = "deprecated.daemonset.template.generation";

/** Drops what counts how often a workload was rolled out: its controller sets it, and `tidyRevisions` sees to it. */
export function dropRevisionCounts({ metadata }: Comparable): void {
  const annotations = Object.entries(metadata.annotations ?? {}).filter(
    ([name]) => !name.startsWith("deployment.kubernetes.io/") && name !== daemonSetGeneration,
  );
  if (annotations.length > 0) metadata.annotations = Object.fromEntries(annotations);
  else delete metadata.annotations;
}
