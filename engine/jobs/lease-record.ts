import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";

/** The content of a Lease. https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/ */
export interface LeaseRecord {
  /** Empty when nobody holds it. */
  readonly holder: string;
  /** When the holder acquired it, which distinguishes one term from every other. */
  readonly term: string;
  /** How long it counts after it was seen to change. */
  readonly durationMs: number;
  readonly transitions: number;
  readonly version: string | undefined;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly leaseTransitions?: number;
}

export const leases = { apiVersion: "coordination.k8s.io/v1", resource: "leases" } as const;

/** Where services of one control plane meet, whatever namespaces they and it have; no restore touches it. */
export const leaseNamespace = "kube-system";

export function readLease({ metadata, ...lease }: KubernetesObject): LeaseRecord {
  const spec = (lease["spec"] ?? {}) as LeaseSpec;
  return {
    holder: spec.holderIdentity ?? "",
    term: spec.acquireTime ?? "",
    durationMs: (spec.leaseDurationSeconds ?? 0) * 1_000,
    transitions: spec.leaseTransitions ?? 0,
    version: metadata["resourceVersion"],
  };
}

/** The Lease as it is to be written; with a version only over that very one. */
export function leaseObject(name: string, namespace: string, lease: LeaseRecord, now: Date): KubernetesObject {
  return {
    apiVersion: leases.apiVersion,
    kind: "Lease",
    metadata: { name, namespace, ...(lease.version !== undefined && { resourceVersion: lease.version }) },
    spec: {
      holderIdentity: lease.holder,
      leaseDurationSeconds: Math.ceil(lease.durationMs / 1_000),
      acquireTime: lease.term,
      renewTime: microTime(now),
      leaseTransitions: lease.transitions,
    },
  };
}

/** Kubernetes' MicroTime. */
export function microTime(time: Date): string {
  return time.toISOString().replace("Z", "000Z");
}

/** A service's name as holder: where it runs, who it is (its database), and which of its starts this is. */
export function holderName(host: string, service: string, start: string): string {
  return `${host}/${service}/${start}`;
}

/** Whether both are starts of one service. */
export function isSameService(one: string, other: string): boolean {
  return serviceOf(one) !== undefined && serviceOf(one) === serviceOf(other);
}

function serviceOf(holder: string): string | undefined {
  return holder.split("/").at(-2);
}
