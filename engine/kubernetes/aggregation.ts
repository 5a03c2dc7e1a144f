import { hasStatus } from "./kubernetes-error.ts";

/** A service that serves an aggregated API. */
export interface ApiServer {
  readonly namespace: string;
  readonly name: string;
}

export interface Aggregation {
  /** The aggregated groups and versions, as far as the API server reports them. */
  readonly servers: ReadonlyMap<string, ApiServer>;
  /** Those of them whose server is down: to ask them takes seconds, and is in vain. */
  readonly down: ReadonlySet<string>;
  readonly mayBeAggregated: (apiVersion: string) => boolean;
}

/**
 * The groups served by other servers than the API server. An account that may not look at them learns that only by asking.
 * https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/
 */
export async function readAggregation(get: (path: string) => Promise<unknown>): Promise<Aggregation> {
  const servers = new Map<string, ApiServer>();
  const down = new Set<string>();
  let items: readonly ApiService[] = [];
  try {
    ({ items = [] } = (await get("/apis/apiregistration.k8s.io/v1/apiservices")) as { items?: ApiService[] });
  } catch (error) {
    if (hasStatus(error, 403)) return { servers, down, mayBeAggregated: isNotBuiltIn };
    if (!hasStatus(error, 404)) throw error; // nothing is aggregated
  }
  for (const { spec, status } of items) {
    const { group = "", version, service } = spec;
    const apiVersion = group === "" ? version : `${group}/${version}`;
    if (!service) continue;
    servers.set(apiVersion, service);
    const available = status?.conditions?.find(({ type }) => type === "Available");
    if (available?.status === "False") down.add(apiVersion);
  }
  return { servers, down, mayBeAggregated: (apiVersion) => servers.has(apiVersion) };
}

interface ApiService {
  readonly spec: { readonly group?: string; readonly version: string; readonly service?: ApiServer };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** The only groups of Kubernetes' own that are served by others: those of metrics. */
function isNotBuiltIn(apiVersion: string): boolean {
  return /(\.|^)metrics\.k8s\.io\//.test(apiVersion) || !/^([^.]+|.*\.k8s\.io\/.*)$/.test(apiVersion);
}
