import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

/**
 * By what Pod Security judges the pods of a namespace as they are created: the values of two labels. Without them it is the
 * cluster's default, which is not known.
 * https://kubernetes.io/docs/concepts/security/pod-security-admission/#pod-security-admission-labels-for-namespaces
 */
export interface PodSecurityLevel {
  readonly enforce?: string;
  readonly version?: string;
}

const enforceLabel = "pod-security.kubernetes.io/enforce";
const versionLabel = "pod-security.kubernetes.io/enforce-version";

/** The level that a namespace has; one that is not there has none. */
export function podSecurityOf(namespace: KubernetesObject | undefined): PodSecurityLevel {
  const { [enforceLabel]: enforce, [versionLabel]: version } = namespace?.metadata.labels ?? {};
  return { ...(enforce !== undefined && { enforce }), ...(version !== undefined && { version }) };
}

/** A namespace with another level. The given one is not changed. */
export function withPodSecurity(namespace: KubernetesObject, level: PodSecurityLevel): KubernetesObject {
  const { [enforceLabel]: _level, [versionLabel]: _version, ...others } = namespace.metadata.labels ?? {};
  const given = Object.entries(podSecurityLabels(level)).filter(([, value]) => value !== null);
  const labels = { ...others, ...(Object.fromEntries(given) as Record<string, string>) };
  return { ...namespace, metadata: { ...namespace.metadata, labels } };
}

/** The labels of a level, for a merge patch: null takes one away. */
export function podSecurityLabels({ enforce, version }: PodSecurityLevel): Readonly<Record<string, string | null>> {
  return { [enforceLabel]: enforce ?? null, [versionLabel]: version ?? null };
}

export function isSameLevel(a: PodSecurityLevel, b: PodSecurityLevel): boolean {
  return a.enforce === b.enforce && a.version === b.version;
}

/** Such as `baseline`, `restricted:v1.30`, or `(none)`. */
export function levelInWords({ enforce = "(none)", version }: PodSecurityLevel): string {
  return version === undefined ? enforce : `${enforce}:${version}`;
}

const fromLaxToStrict: readonly (string | undefined)[] = ["privileged", "baseline", "restricted"];
const laxest: PodSecurityLevel = { enforce: "privileged" };

/**
 * The laxer of two levels; of two versions of one level the older, as newer ones know of more. A level that is unknown counts
 * as the strictest, as it does to the API server. The cluster's default may be any level: the laxer of it and another one is
 * `privileged`, which allows what either does.
 */
export function laxerOf(a: PodSecurityLevel, b: PodSecurityLevel): PodSecurityLevel {
  if ((a.enforce === undefined) !== (b.enforce === undefined)) return laxest;
  const difference = strictnessOf(a) - strictnessOf(b);
  return (difference === 0 ? minorOf(a) - minorOf(b) : difference) <= 0 ? a : b;
}

function strictnessOf({ enforce }: PodSecurityLevel): number {
  const index = fromLaxToStrict.indexOf(enforce);
  return index < 0 ? fromLaxToStrict.length : index;
}

function minorOf({ version = "latest" }: PodSecurityLevel): number {
  return Number(/^v1\.(\d+)$/.exec(version)?.[1] ?? Number.MAX_SAFE_INTEGER);
}
