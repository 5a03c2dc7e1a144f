import { expect, onTestFinished, test } from "vitest";
import { Cluster } from "../../../engine/kubernetes/cluster.ts";
import { ObjectRestorer } from "../../../engine/restore/objects/object-restorer.ts";
import { startSimulator } from "../../../simulator/simulator.ts";

const { signal } = new AbortController();
const type = (apiVersion: string, kind: string, resource: string) => ({ apiVersion, kind, resource, namespaced: true });
const configMaps = type("v1", "ConfigMap", "configmaps");

async function scene() {
  const simulator = await startSimulator();
  const cluster = await Cluster.open({ server: simulator.url }, 4);
  onTestFinished(async () => {
    await cluster.close();
    await simulator.close();
  });
  const warnings: string[] = [];
  const warn = (_code: string | undefined, namespace: string, text: string) =>
    void warnings.push(`${namespace}: ${text}`);
  const restorer = new ObjectRestorer({ cluster, signal, warn, info: () => {}, finalizerTimeout: 1_000 });
  return { simulator, cluster, warnings, restorer };
}

test("an object whose creation is told to have happened before is as it should be, and keeps its uid", async () => {
  const { cluster, restorer } = await scene();
  const object = { metadata: { name: "a", namespace: "default" }, data: { a: "1" } };
  const first = await restorer.restore(configMaps, object);
  await cluster.patch(
    configMaps,
    "default",
    "a",
    { data: { stray: "x" }, metadata: { labels: { stray: "x" } } },
    signal,
  );
  const second = await restorer.restore(configMaps, object);
  expect(second.metadata.uid).toBe(first.metadata.uid);
  const now = await cluster.get(configMaps, "default", "a", signal);
  expect(now).toMatchObject({ data: { a: "1" } });
  expect(now?.["data"]).not.toHaveProperty("stray");
  expect(now?.metadata.labels).toBeUndefined();
});

test("an object that may not be changed is recreated", async () => {
  const { cluster, restorer } = await scene();
  const object = { metadata: { name: "a", namespace: "default" }, data: { a: "1" }, immutable: true };
  const first = await restorer.restore(configMaps, { ...object, data: { a: "0" } });
  const second = await restorer.restore(configMaps, object);
  expect(second.metadata.uid).not.toBe(first.metadata.uid);
  expect(await cluster.get(configMaps, "default", "a", signal)).toMatchObject({ data: { a: "1" } });
});

test("an object that may not be changed stays where a policy would not let its finalizers be taken off", async () => {
  const { simulator, cluster, restorer } = await scene();
  const object = { metadata: { name: "a", namespace: "default" }, data: { a: "1" }, immutable: true };
  const first = await restorer.restore(configMaps, { ...object, data: { a: "0" } });
  const body = { kind: "Status", code: 403, reason: "Forbidden", message: "nobody changes this one" };
  simulator.intercept(({ method }) => (method === "PATCH" ? { status: 403, body } : undefined));
  await expect(restorer.restore(configMaps, object)).rejects.toThrow("nobody changes this one");
  expect((await cluster.get(configMaps, "default", "a", signal))?.metadata).toMatchObject({ uid: first.metadata.uid });
});

test("the service account that the cluster has made already gets what was saved of it", async () => {
  const { cluster, restorer } = await scene();
  const accounts = type("v1", "ServiceAccount", "serviceaccounts");
  await restorer.restore(accounts, {
    metadata: { name: "default", namespace: "default", annotations: { role: "reader" } },
    imagePullSecrets: [{ name: "registry" }],
    automountServiceAccountToken: false,
  });
  expect(await cluster.get(accounts, "default", "default", signal)).toMatchObject({
    metadata: { annotations: { role: "reader" } },
    imagePullSecrets: [{ name: "registry" }],
    automountServiceAccountToken: false,
  });
});

const services = type("v1", "Service", "services");
const service = (name: string, spec: object) => ({
  metadata: { name, namespace: "default" },
  spec: { ports: [{ port: 80, protocol: "TCP" }], ...spec },
});

async function addressOf(cluster: Cluster, name: string): Promise<string | undefined> {
  const found = await cluster.get(services, "default", name, signal);
  return (found?.["spec"] as { clusterIP: string } | undefined)?.clusterIP;
}

test("a service whose address is taken by now gets another one, and that is reported", async () => {
  const { cluster, restorer, warnings } = await scene();
  await cluster.create(services, "default", service("theirs", {}), signal);
  const clusterIP = await addressOf(cluster, "theirs");
  await restorer.restore(services, service("ours", { clusterIP, clusterIPs: [clusterIP] }));
  const ours = await addressOf(cluster, "ours");
  expect(ours).toMatch(/^\d+\./);
  expect(ours).not.toBe(clusterIP);
  expect(warnings).toEqual([
    expect.stringMatching(/^default: service ours has new addresses or ports, because it cannot get its former ones: /),
  ]);
});

const ofAnotherRange =
  'Service "ours" is invalid: spec.clusterIPs: Invalid value: ["10.96.1.1"]: failed to allocate IP 10.96.1.1: the provided network does not match the current range';
const portTaken =
  "Internal error occurred: failed to allocate requested HealthCheck NodePort 30001: provided port is already allocated";

test.each([
  ["address is of another cluster's range", 422, ofAnotherRange, { clusterIP: "10.96.1.1", clusterIPs: ["10.96.1.1"] }],
  ["port of health checks is taken", 500, portTaken, { healthCheckNodePort: 30_001 }],
])("a service whose %s gets new ones at once, and that is reported", async (_, status, message, spec) => {
  const { simulator, cluster, restorer, warnings } = await scene();
  let creations = 0;
  simulator.intercept(({ method }) =>
    method === "POST" && ++creations === 1 ? { status, body: { kind: "Status", code: status, message } } : undefined,
  );
  await restorer.restore(services, service("ours", spec));
  expect(creations).toBe(2);
  expect(await addressOf(cluster, "ours")).toMatch(/^\d+\./);
  expect(warnings).toEqual([expect.stringContaining(message)]);
});

test("a refusal that passes is met again; one that stays is reported in the cluster's own words", async () => {
  const { simulator, restorer } = await scene();
  let refusals = 0;
  const refuse = (limit: number) =>
    simulator.intercept(({ method }) =>
      method === "POST" && refusals++ < limit
        ? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "exceeded quota: pods" } }
        : undefined,
    );
  refuse(1);
  await restorer.restore(configMaps, { metadata: { name: "a", namespace: "default" } });
  refusals = 0;
  refuse(100);
  await expect(restorer.restore(configMaps, { metadata: { name: "b", namespace: "default" } })).rejects.toThrow(
    "exceeded quota: pods",
  );
});

test("an object that may not be changed stays where a policy would not let it be created, and that is the reason", async () => {
  const { simulator, cluster, restorer } = await scene();
  const object = { metadata: { name: "a", namespace: "default" }, data: { a: "1" }, immutable: true };
  const first = await restorer.restore(configMaps, { ...object, data: { a: "0" } });
  const message = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: nobody makes this one";
  const body = { kind: "Status", code: 422, reason: "Invalid", message };
  simulator.intercept(({ method }) => (method === "POST" ? { status: 422, body } : undefined));
  await expect(restorer.restore(configMaps, object)).rejects.toThrow("nobody makes this one");
  expect((await cluster.get(configMaps, "default", "a", signal))?.metadata).toMatchObject({ uid: first.metadata.uid });
});
