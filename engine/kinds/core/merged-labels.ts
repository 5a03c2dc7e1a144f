interface Expression {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}
interface Term {
  labelSelector?: { matchExpressions?: Expression[] };
  readonly matchLabelKeys?: readonly string[];
  readonly mismatchLabelKeys?: readonly string[];
}
interface Terms {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly Term[];
  readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly { readonly podAffinityTerm: Term }[];
}
/** The selectors of other pods in a pod's spec. */
export interface SelectingSpec {
  readonly affinity?: { readonly podAffinity?: Terms; readonly podAntiAffinity?: Terms };
  readonly topologySpreadConstraints?: readonly Term[];
}

/**
 * Takes out of a pod's selectors what the API server merged into them out of the pod's labels: it does it again with each new
 * pod, and refuses one that has it already.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#matchlabelkeys
 */
export function withoutMergedLabels(spec: SelectingSpec, labels: Readonly<Record<string, string>> = {}): void {
  const { affinity: { podAffinity, podAntiAffinity } = {}, topologySpreadConstraints = [] } = spec;
  for (const terms of [podAffinity, podAntiAffinity]) {
    for (const term of terms?.requiredDuringSchedulingIgnoredDuringExecution ?? []) unmerge(term, labels);
    for (const { podAffinityTerm } of terms?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
      unmerge(podAffinityTerm, labels);
  }
  for (const constraint of topologySpreadConstraints) unmerge(constraint, labels);
}

function unmerge(term: Term, labels: Readonly<Record<string, string>>): void {
  const { labelSelector, matchLabelKeys = [], mismatchLabelKeys = [] } = term;
  if (!labelSelector?.matchExpressions) return;
  const isMerged = ({ key, operator, values: [value, ...others] = [] }: Expression) =>
    others.length === 0 &&
    // Users may not select by the former keys themselves, but by the latter.
    ((operator === "In" && matchLabelKeys.includes(key)) ||
      (operator === "NotIn" && mismatchLabelKeys.includes(key) && value === labels[key]));
  const own = labelSelector.matchExpressions.filter((expression) => !isMerged(expression));
  if (own.length > 0) labelSelector.matchExpressions = own;
  else delete labelSelector.matchExpressions;
}
