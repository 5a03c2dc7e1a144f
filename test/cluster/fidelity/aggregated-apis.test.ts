import { afterAll, beforeAll, expect, test } from "vitest";
import { startAggregatedApiServer } from "./aggregated-api-server.ts";
import { eventually } from "../support/eventually.ts";
import { aControlPlane, clusterPath, type Outcome, type SmallControlPlane } from "./support.ts";

const namespace = "fidelity-aggregated";
const apiServices = "apiregistration.k8s.io/v1/apiservices";
const own = clusterPath(apiServices, "v1beta1.adapter.example.com");

const manifests = `
apiVersion: v1
kind: Service
metadata: { name: adapter }
spec: { selector: { app: adapter }, ports: [{ port: 443, targetPort: 6443 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: adapter }
spec:
  replicas: 1
  selector: { matchLabels: { app: adapter } }
  template: { metadata: { labels: { app: adapter } }, spec: { containers: [{ name: main, image: main }] } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { a: b }
`;
const isDown = `the API adapter.example.com/v1beta1 does not answer: service ${namespace}/adapter of the control plane serves it, see why that is down`;
let plane: SmallControlPlane;

beforeAll(async () => {
  plane = await aControlPlane(namespace, manifests);
  await plane.until("apps/v1/deployments", "adapter", ({ status }) => status?.availableReplicas === 1);
});

afterAll(async () => {
  await plane?.cluster.kubernetes.delete(own);
  await plane?.remove();
});

test("an aggregated API of the control plane that is down is named, and costs a backup and a restore no time", async () => {
  const { ms: without } = await timed(() => plane.backUp());
  await serve("adapter");
  await available("False");
  const { metadata } = await plane.cluster.kubernetes.get(own);

  const { ms, result } = await timed(() => plane.backUp({ state: "PARTIALLY_FAILED" }));
  expect(result.warnings).toEqual([isDown]);
  expect(ms).toBeLessThan(without + 5_000);
  const { ms: restoring } = await timed(() => plane.restore());
  expect(restoring).toBeLessThan(15_000);
  expect((await plane.cluster.kubernetes.get(own)).metadata.uid).toBe(metadata.uid);
});

test("a namespace that its own aggregated API holds in Terminating goes, and the restore brings both back", async () => {
  await plane.kubectl("delete", "--wait=false", "namespace", namespace);
  await eventually("its discovery fails", async () => {
    const { status } = await plane.cluster.kubernetes.get(clusterPath("v1/namespaces", namespace));
    const conditions = (status?.["conditions"] ?? []) as { type: string; status: string }[];
    return conditions.some(({ type, status }) => type === "NamespaceDeletionDiscoveryFailure" && status === "True");
  });
  const { spec } = await plane.cluster.kubernetes.get(own);

  const { crn } = await plane.restore();
  expect(await plane.log({ crn })).toContain("took APIService v1beta1.adapter.example.com away");
  expect((await plane.cluster.kubernetes.get(own))["spec"]).toEqual(spec);
  expect((await plane.get("v1/configmaps", "settings"))["data"]).toEqual({ a: "b" });
  expect((await plane.get("apps/v1/deployments", "adapter"))["status"].availableReplicas).toBe(1);
});

test("what an aggregated API of the control plane keeps is not saved object by object, and one that hangs is named soon", async () => {
  const { kubernetes } = plane.cluster;
  const server = await startAggregatedApiServer("adapter.example.com/v1beta1");
  try {
    await kubernetes.delete(own);
    await plane.create(`
apiVersion: v1
kind: Service
metadata: { name: outside }
spec: { type: ExternalName, externalName: localhost, ports: [{ port: ${server.port} }] }
`);
    await serve("outside", server.port);
    await available("True");
    const { crn } = await plane.backUp();
    const log = await plane.log({ crn });
    expect(log).toContain(
      `objects of adapter.example.com/v1beta1 are not saved one by one: service ${namespace}/outside keeps them`,
    );
    expect(log).not.toContain("things");
    await plane.restore();

    await available("True");
    server.hang();
    const { ms, result } = await timed(() => plane.backUp({ state: "PARTIALLY_FAILED" }));
    expect(result.warnings).toEqual([isDown.replace("adapter of", "outside of")]);
    expect(ms).toBeLessThan(20_000);
  } finally {
    server.close();
  }
});

async function timed(work: () => Promise<Outcome>) {
  const start = Date.now();
  const result = await work();
  return { ms: Date.now() - start, result };
}

async function serve(service: string, port = 443): Promise<void> {
  await plane.cluster.kubernetes.create(clusterPath(apiServices), {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: "v1beta1.adapter.example.com" },
    spec: {
      group: "adapter.example.com",
      version: "v1beta1",
      groupPriorityMinimum: 100,
      versionPriority: 100,
      insecureSkipTLSVerify: true,
      service: { namespace, name: service, port },
    },
  });
}

async function available(wanted: string): Promise<void> {
  await eventually(`it is available: ${wanted}`, async () => {
    const { status } = await plane.cluster.kubernetes.get(own);
    const conditions = (status?.["conditions"] ?? []) as { type: string; status: string }[];
    return conditions.some(({ type, status }) => type === "Available" && status === wanted);
  });
}
