import { persistentVolumeClaims } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { waitFor } from "../kubernetes/waiting.ts";
import { provisioningFailure } from "./provisioning-failure.ts";

interface Waiting {
  readonly cluster: Cluster;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Whether a claim is there and has its volume. */
export function isBound(claim?: KubernetesObject): boolean {
  return (claim?.["status"] as { phase?: string } | undefined)?.phase === "Bound";
}

/** The volume that a claim names; empty when it has none yet. */
export function volumeOf(claim: KubernetesObject): string {
  return (claim["spec"] as { volumeName?: string } | undefined)?.volumeName ?? "";
}

/** Waits until claims are bound; returns those that are not in time, each with what the provisioner said of it last. */
export async function unboundClaims(
  { cluster, timeoutMs, signal }: Waiting,
  namespace: string,
  claims: ReadonlySet<string>,
): Promise<readonly string[]> {
  const bound = new Set<string>();
  const unbound = new Map<string, KubernetesObject>();
  const see = (claim: KubernetesObject) => {
    const { name } = claim.metadata;
    if (!claims.has(name)) return;
    if (isBound(claim)) bound.add(name);
    else unbound.set(name, claim);
  };
  const wait = { type: persistentVolumeClaims, namespace, timeoutMs, signal };
  await waitFor(cluster, wait, see, () => bound.size === claims.size);
  const late = [...claims].filter((name) => !bound.has(name));
  return Promise.all(
    late.map(async (name) => {
      const claim = unbound.get(name);
      const reason = claim && (await provisioningFailure(cluster, claim, signal));
      return reason === undefined ? name : `${name} (${reason})`;
    }),
  );
}
