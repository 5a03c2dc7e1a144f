import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";
import { without } from "./namespace.ts";

interface ServiceSpec {
  clusterIP?: string;
  clusterIPs?: string[];
  healthCheckNodePort?: number;
  ports?: { nodePort?: number }[];
}

interface ServiceState {
  readonly spec?: { readonly type?: string };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { ip?: string; hostname?: string }[] } };
}

export const service: KindRules = {
  name: "services",
  /** Endpoints that are there once a selector was taken away stay. */
  leavesEndpoints: ({ spec }) => (spec as { selector?: object } | undefined)?.selector === undefined,
  wave: "services",
  withoutAllocations,
  loss(saved) {
    const { spec, status } = saved as ServiceState;
    const addresses = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname);
    return spec?.type === "LoadBalancer" && addresses.length > 0
      ? `its load balancer gives it a new address, which may differ from ${addresses.join(", ")}`
      : undefined;
  },
  copy: (object) => withoutOutside(withoutAllocations(object)),
};

/**
 * Takes away what only one service at a time can have, for the case that another one has it by now. A headless service
 * stays headless.
 */
export function withoutAllocations(service: KubernetesObject): KubernetesObject {
  const spec = { ...(service["spec"] as ServiceSpec) };
  if (spec.clusterIP !== "None") {
    delete spec.clusterIP;
    delete spec.clusterIPs;
  }
  delete spec.healthCheckNodePort;
  if (spec.ports) spec.ports = spec.ports.map((port) => ({ ...port, nodePort: 0 }));
  return { ...service, spec };
}

/** By these annotations names in the DNS lead to a service. */
const externalDns = "external-dns.alpha.kubernetes.io/";

/** A service that is reached from within the cluster only: its addresses outside are those of the one it is a copy of. */
function withoutOutside(service: KubernetesObject): KubernetesObject {
  const { externalIPs: _ips, loadBalancerIP: _ip, ...spec } = service["spec"] as Record<string, unknown>;
  const ports = (spec["ports"] as { nodePort?: number }[] | undefined)?.map(({ nodePort: _port, ...port }) => port);
  if (ports) spec["ports"] = ports;
  const metadata = without("annotations", service.metadata, (name) => name.startsWith(externalDns));
  if (spec["type"] !== "LoadBalancer") return { ...service, metadata, spec };
  const {
    externalTrafficPolicy: _policy,
    loadBalancerClass: _class,
    loadBalancerSourceRanges: _ranges,
    allocateLoadBalancerNodePorts: _ports,
    ...inside
  } = spec;
  return { ...service, metadata, spec: { ...inside, type: "ClusterIP" } };
}
