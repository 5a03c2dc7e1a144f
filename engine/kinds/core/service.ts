import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

interface ServiceSpec {
  clusterIP?: string;
  clusterIPs?: string[];
  healthCheckNodePort?: number;
  ports?: { nodePort?: number }[];
}

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
