import { invalid } from "../objects/api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { KubernetesObject } from "../objects/kubernetes-object.ts";
import type { Service } from "../objects/kinds.ts";
import { builtIn } from "../objects/registry.ts";

const services = builtIn("services");
const firstNodePort = 30_000;

/** Gives a new service its address and node ports; refuses an address that another one has. */
export function admitService(object: KubernetesObject, cluster: Cluster): void {
  const service = object as Service;
  const spec = (service.spec ??= {});
  spec.type ??= "ClusterIP";
  spec["sessionAffinity"] ??= "None";
  for (const port of spec.ports ?? []) {
    port.protocol ??= "TCP";
    port.targetPort ??= port.port;
  }
  if (spec.type === "ExternalName") return;
  const others = [...cluster.store.list<Service>(services)];
  const taken = new Set(others.flatMap((service) => service.spec?.clusterIPs ?? []));
  const wanted = spec.clusterIP || spec.clusterIPs?.[0];
  if (wanted !== undefined && wanted !== "None" && taken.has(wanted)) {
    const what = `Invalid value: ["${wanted}"]: failed to allocate IP ${wanted}: provided IP is already allocated`;
    throw invalid(services, service.metadata.name, "spec.clusterIPs", what);
  }
  spec.clusterIP = wanted ?? freeAddress(taken);
  spec.clusterIPs = [spec.clusterIP];
  spec["ipFamilies"] ??= ["IPv4"];
  spec["ipFamilyPolicy"] ??= "SingleStack";
  spec["internalTrafficPolicy"] ??= "Cluster";
  if (spec.type !== "ClusterIP") giveNodePorts(service, others);
}

function freeAddress(taken: ReadonlySet<string>): string {
  for (let host = 1; ; host++) {
    const address = `10.96.${host >> 8}.${host & 255}`;
    if (!taken.has(address)) return address;
  }
}

function giveNodePorts(service: Service, others: readonly Service[]): void {
  const taken = new Set(others.flatMap(({ spec }) => spec?.ports?.map((port) => port.nodePort) ?? []));
  for (const [index, port] of (service.spec?.ports ?? []).entries()) {
    if (port.nodePort !== undefined && taken.has(port.nodePort)) {
      const what = `Invalid value: ${port.nodePort}: provided port is already allocated`;
      throw invalid(services, service.metadata.name, `spec.ports[${index}].nodePort`, what);
    }
    let free = firstNodePort;
    while (taken.has(free)) free++;
    port.nodePort ??= free;
    taken.add(port.nodePort);
  }
}
