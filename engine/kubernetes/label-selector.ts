/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/ */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** Whether a selector matches these labels; an empty one matches all. */
export function matches({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: object = {}): boolean {
  const has = new Map<string, unknown>(Object.entries(labels));
  return (
    Object.entries(matchLabels).every(([key, value]) => has.get(key) === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const isIn = values.some((value) => has.get(key) === value);
      switch (operator) {
        case "In":
          return isIn;
        case "NotIn":
          return !isIn;
        case "Exists":
          return has.has(key);
        case "DoesNotExist":
          return !has.has(key);
        default:
          return false;
      }
    })
  );
}

/**
 * A selector as a list takes it; a replication controller's is a plain map.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api
 */
export function labelSelectorOf(selector: LabelSelector | Readonly<Record<string, string>>): string {
  const isNested = "matchLabels" in selector || "matchExpressions" in selector;
  const { matchLabels = {}, matchExpressions = [] } = (
    isNested ? selector : { matchLabels: selector }
  ) as LabelSelector;
  const terms = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator.toLowerCase()} (${values.join(",")})`;
  });
  return [...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`), ...terms].join(",");
}
