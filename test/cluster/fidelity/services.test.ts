import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keysOf } from "../support/archives.ts";
import { startCluster } from "../support/cluster.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { aControlPlane, type Outcome, type SmallControlPlane } from "./support.ts";

const services = "v1/services";

let plane: SmallControlPlane;
/** By name, as they were saved. */
let before: ReadonlyMap<string, KubernetesObject>;
let restored: Outcome;

beforeAll(async () => {
  plane = await aControlPlane("services", manifests);
  before = new Map((await plane.list(services)).map((service) => [service.metadata.name, service]));
  await plane.backUp();
  await plane.kubectl("delete", "endpoints/outside", "endpointslice/outside-ipv4");
  await plane.kubectl("delete", "endpoints/deselected", "endpointslice/deselected-ipv4");
  const others = ["headless", "elsewhere", "outside", "deselected"];
  await plane.kubectl("delete", "service", "kept", ...others, "address-taken", "port-taken", "health-port-taken");
  await takeAllocations();
  restored = await plane.restore({ state: "PARTIALLY_FAILED" });
});

afterAll(async () => {
  await plane?.cluster.kubectl("delete", "--namespace=default", "--ignore-not-found", "service", ...thieves);
  await plane?.remove();
});

test("a service keeps its address and node port", async () => {
  const { spec } = await plane.get(services, "kept");
  const was = before.get("kept")!["spec"];
  expect(spec).toMatchObject({ clusterIP: was.clusterIP, clusterIPs: was.clusterIPs, ports: was.ports });
  expect(spec.ports[0].nodePort).toBeGreaterThan(0);
});

test("a service whose address another one has taken gets a new one, with a warning", async () => {
  const { spec } = await plane.get(services, "address-taken");
  expect(spec.clusterIP).toMatch(/^10\.96\./);
  expect(spec.clusterIP).not.toBe(before.get("address-taken")!["spec"].clusterIP);
  expect(spec.selector).toEqual({ app: "any" });
  expect(restored.warnings).toContainEqual(expect.stringContaining("service address-taken has new addresses"));
});

test("a service whose node port another one has taken gets a new one, with a warning", async () => {
  const { spec } = await plane.get(services, "port-taken");
  expect(spec.ports[0]).toMatchObject({ name: "http", port: 80 });
  expect(spec.ports[0].nodePort).toBeGreaterThan(0);
  expect(spec.ports[0].nodePort).not.toBe(before.get("port-taken")!["spec"].ports[0].nodePort);
  expect(restored.warnings).toContainEqual(expect.stringContaining("service port-taken has new addresses"));
});

test("a service whose port of health checks another one has taken gets a new one, with a warning", async () => {
  const { spec } = await plane.get(services, "health-port-taken");
  expect(spec).toMatchObject({ type: "LoadBalancer", externalTrafficPolicy: "Local" });
  expect(spec.healthCheckNodePort).toBeGreaterThan(0);
  expect(spec.healthCheckNodePort).not.toBe(before.get("health-port-taken")!["spec"].healthCheckNodePort);
  expect(restored.warnings).toContainEqual(expect.stringContaining("service health-port-taken has new addresses"));
  expect(restored).toMatchObject({ errors: [], warnings: { length: 3 } });
});

test("headless services and external names stay what they are", async () => {
  expect((await plane.get(services, "headless"))["spec"]).toMatchObject({ clusterIP: "None", clusterIPs: ["None"] });
  const { spec } = await plane.get(services, "elsewhere");
  expect(spec).toMatchObject({ type: "ExternalName", externalName: "db.example.com" });
});

test.each(["outside", "deselected"])(
  "a service without a selector, %s, keeps the endpoints that were given to it, or it once selected",
  async (name) => {
    expect((await plane.get(services, name))["spec"].selector).toBeUndefined();
    const { subsets } = await plane.get("v1/endpoints", name);
    expect(subsets).toMatchObject([{ addresses: [{ ip: "192.0.2.10" }], ports: [{ port: 5432 }] }]);
    const slice = await plane.get("discovery.k8s.io/v1/endpointslices", `${name}-ipv4`);
    expect(slice).toMatchObject({ endpoints: [{ addresses: ["192.0.2.11"] }], ports: [{ port: 5433 }] });
  },
);

test("on a cluster whose services have other addresses they get new ones, each with a warning", async () => {
  const cluster = await startCluster({ serviceRange: "10.97.0.0/16" });
  let other: SmallControlPlane | undefined;
  try {
    const storage = pathToFileURL(join(plane.service.data, "archives")).href;
    other = await aControlPlane("services", "", { cluster, flags: ["--storage", storage, keysOf(plane.service.data)] });
    other.backupCrn = plane.backupCrn;
    const { errors, warnings } = await other.restore({ state: "PARTIALLY_FAILED" });
    expect(errors).toEqual([]);
    const addressed = [...before.values()].filter(({ spec }) => spec.clusterIP?.startsWith("10."));
    expect(warnings).toHaveLength(addressed.length);
    for (const { metadata } of addressed) {
      expect((await other.get(services, metadata.name))["spec"].clusterIP).toMatch(/^10\.97\./);
      expect(warnings).toContainEqual(expect.stringContaining(`service ${metadata.name} has new addresses`));
    }
  } finally {
    await other?.service.stop();
    await cluster.stop();
  }
});

function serviceOf(name: string, spec: object): object {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec };
}

function nodePortOf(name: string, nodePort: number): object {
  return serviceOf(name, { type: "NodePort", ports: [{ port: 80, nodePort }] });
}

const thieves = ["thief", "port-thief", "health-port-thief"];

/** Services of others, who got the addresses and ports while they were free. */
async function takeAllocations(): Promise<void> {
  const ip = before.get("address-taken")!["spec"].clusterIP;
  const port = before.get("port-taken")!["spec"].ports[0].nodePort;
  const healthPort = before.get("health-port-taken")!["spec"].healthCheckNodePort;
  const inDefault = "/api/v1/namespaces/default/services";
  const ports = [{ port: 80 }];
  const { kubernetes } = plane.cluster;
  await kubernetes.create(inDefault, serviceOf("thief", { clusterIP: ip, ports }));
  await kubernetes.create(inDefault, nodePortOf("port-thief", port));
  await kubernetes.create(inDefault, nodePortOf("health-port-thief", healthPort));
}

const manifests = `
apiVersion: v1
kind: Service
metadata: { name: kept }
spec: { type: NodePort, selector: { app: any }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: address-taken }
spec: { selector: { app: any }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: port-taken }
spec: { type: NodePort, selector: { app: any }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: health-port-taken }
spec: { type: LoadBalancer, externalTrafficPolicy: Local, selector: { app: any }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: headless }
spec: { clusterIP: None, selector: { app: any }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: elsewhere }
spec: { type: ExternalName, externalName: db.example.com }
---
apiVersion: v1
kind: Service
metadata: { name: outside }
spec: { ports: [{ port: 5432 }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: outside }
subsets: [{ addresses: [{ ip: 192.0.2.10 }], ports: [{ port: 5432 }] }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: outside-ipv4, labels: { kubernetes.io/service-name: outside } }
addressType: IPv4
endpoints: [{ addresses: [192.0.2.11] }]
ports: [{ port: 5433 }]
---
apiVersion: v1
kind: Service
metadata: { name: deselected }
spec: { ports: [{ port: 5432 }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: deselected, labels: { endpoints.kubernetes.io/managed-by: endpoint-controller } }
subsets: [{ addresses: [{ ip: 192.0.2.10 }], ports: [{ port: 5432 }] }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: deselected-ipv4
  labels:
    kubernetes.io/service-name: deselected
    endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io
addressType: IPv4
endpoints: [{ addresses: [192.0.2.11] }]
ports: [{ port: 5433 }]
`;
