import { beforeEach, describe, expect, test } from "vitest";
import { simulated } from "./client.ts";

const cluster = simulated({ pageLimit: 3 });
const configMaps = "/api/v1/namespaces/a/configmaps";

beforeEach(async () => {
  await cluster.post("/api/v1/namespaces", { metadata: { name: "a" } });
  await cluster.settled();
  await cluster.delete(`${configMaps}/kube-root-ca.crt`);
  await cluster.settled();
});

describe("objects", () => {
  test("keep numbers beyond 2^53 and unknown members", async () => {
    const body = '{"metadata":{"name":"x"},"data":{"k":"v"},"unknown":{"big":9007199254740993,"float":1.0}}';
    await cluster.call("POST", configMaps, body);
    await cluster.merge(`${configMaps}/x`, { data: { added: "1" } });
    const { text } = await cluster.call("GET", `${configMaps}/x`);
    expect(text).toContain('"data":{"k":"v","added":"1"},"unknown":{"big":9007199254740993,"float":1.0}}');
    expect(text).toMatch(/^\{"kind":"ConfigMap","apiVersion":"v1","metadata":\{"name":"x","namespace":"a","uid":/);
  });

  test.each([
    ["a name that is taken", 409, "AlreadyExists", "a", { metadata: { name: "kube-root-ca.crt" } }],
    ["no name", 422, "Invalid", "a", { metadata: {} }],
    ["a namespace that is not there", 404, "NotFound", "b", { metadata: { name: "x" } }],
    ["a resourceVersion", 500, undefined, "a", { metadata: { name: "x", resourceVersion: "1" } }],
    ["another kind", 400, "BadRequest", "a", { kind: "Secret", metadata: { name: "x" } }],
  ])("are refused for %s", async (_why, code, reason, namespace, body) => {
    const { status, text } = await cluster.call("POST", `/api/v1/namespaces/${namespace}/configmaps`, body);
    expect(status).toBe(code);
    const { kind, ...refusal } = JSON.parse(text);
    expect(kind).toBe("Status");
    expect(refusal).toMatchObject({ status: "Failure", code, ...(reason && { reason }) });
  });

  test("are not stored by a dry run", async () => {
    const dry = await cluster.post(`${configMaps}?dryRun=All`, { metadata: { name: "x" } });
    expect(dry.metadata.uid).toBeTruthy();
    expect(await cluster.exists(`${configMaps}/x`)).toBe(false);
  });

  test("refuse a stale update, and an equal one changes nothing", async () => {
    const created = await cluster.post(configMaps, { metadata: { name: "x" }, data: { k: "1" } });
    const changed = await cluster.put(`${configMaps}/x`, { ...created, data: { k: "2" } });
    const stale = await cluster.call("PUT", `${configMaps}/x`, { ...created, data: { k: "3" } });
    expect(stale.status).toBe(409);
    const same = await cluster.put(`${configMaps}/x`, changed);
    expect(same.metadata.resourceVersion).toBe(changed.metadata.resourceVersion);
  });

  test("count generations of the spec, not of the status", async () => {
    const path = "/apis/networking.k8s.io/v1/namespaces/a/ingresses";
    await cluster.post(path, { metadata: { name: "x" }, spec: { ingressClassName: "one" } });
    await cluster.merge(`${path}/x/status`, { status: { loadBalancer: { ingress: [] } } });
    expect((await cluster.get(`${path}/x`)).metadata.generation).toBe(1);
    const changed = await cluster.merge(`${path}/x`, { spec: { ingressClassName: "two" }, status: { gone: true } });
    expect(changed.metadata.generation).toBe(2);
    expect(changed.status).toEqual({ loadBalancer: { ingress: [] } });
  });

  test("of built-in kinds lose nulls and empty lists, but not what is empty on purpose", async () => {
    const spec = { podSelector: {}, ingress: [], egress: null };
    const path = "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies";
    const created = await cluster.post(path, { metadata: { name: "x", labels: {} }, spec });
    expect(created.spec).toEqual({ podSelector: {} });
    expect(created.metadata).not.toHaveProperty("labels");
    const changed = await cluster.put(`${path}/x`, { ...created, spec });
    expect(changed.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
  });

  test("take JSON patches", async () => {
    await cluster.post(configMaps, { metadata: { name: "x" }, data: { a: "1" } });
    const patch = [
      { op: "test", path: "/data/a", value: "1" },
      { op: "add", path: "/data/b~1c", value: "2" },
      { op: "move", from: "/data/a", path: "/data/d" },
    ];
    await cluster.call("PATCH", `${configMaps}/x`, patch, "application/json-patch+json");
    expect((await cluster.get(`${configMaps}/x`)).data).toEqual({ "b/c": "2", d: "1" });
  });

  test("stay while a finalizer holds them", async () => {
    await cluster.post(configMaps, { metadata: { name: "x", finalizers: ["example.com/hold"] } });
    const deleted = await cluster.delete(`${configMaps}/x`);
    expect(deleted.metadata.deletionTimestamp).toBeTruthy();
    expect(await cluster.exists(`${configMaps}/x`)).toBe(true);
    await cluster.merge(`${configMaps}/x`, { metadata: { finalizers: null } });
    expect(await cluster.exists(`${configMaps}/x`)).toBe(false);
  });

  test("are deleted only when the preconditions hold", async () => {
    await cluster.post(configMaps, { metadata: { name: "x" } });
    const { status } = await cluster.call("DELETE", `${configMaps}/x`, { preconditions: { uid: "other" } });
    expect(status).toBe(409);
    await cluster.call("DELETE", `${configMaps}?labelSelector=a%3Db`);
    expect(await cluster.exists(`${configMaps}/x`)).toBe(true);
    await cluster.call("DELETE", configMaps);
    expect(await cluster.exists(`${configMaps}/x`)).toBe(false);
  });
});

describe("lists", () => {
  const names = ["n1", "n10", "n2", "n3", "n4"];
  beforeEach(async () => {
    for (const name of names)
      await cluster.post(configMaps, { metadata: { name, labels: { odd: String(name.length) } } });
  });

  test("come in pages, in the order of their names, without kind and apiVersion in the items", async () => {
    const first = await cluster.get(`${configMaps}?limit=500`);
    expect(Object.keys(first)).toEqual(["kind", "apiVersion", "metadata", "items"]);
    expect(first.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual([
      "kube-root-ca.crt",
      "n1",
      "n10",
    ]);
    expect(first.metadata.remainingItemCount).toBe(3);
    expect(Object.keys(first.items[0])[0]).toBe("metadata");
    const second = await cluster.get(`${configMaps}?limit=500&continue=${first.metadata.continue}`);
    expect(second.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(["n2", "n3", "n4"]);
    expect(second.metadata).toEqual({ resourceVersion: first.metadata.resourceVersion });
  });

  test("answer an expired token with 410 and a token to go on with", async () => {
    const first = await cluster.get(`${configMaps}?limit=2`);
    cluster.simulator.expireContinueTokens();
    const { status, text } = await cluster.call("GET", `${configMaps}?limit=2&continue=${first.metadata.continue}`);
    expect(status).toBe(410);
    const expired = JSON.parse(text);
    expect(expired.reason).toBe("Expired");
    const next = await cluster.get(`${configMaps}?limit=2&continue=${expired.metadata.continue}`);
    expect(next.items[0].metadata.name).toBe("n10");
  });

  test.each([
    ["labelSelector=odd%3D3", ["n10"]],
    ["labelSelector=odd+in+(3,4)", ["n10"]],
    ["labelSelector=odd,odd!%3D2", ["n10"]],
    ["labelSelector=!odd", ["kube-root-ca.crt"]],
    ["fieldSelector=metadata.name%3Dn3,metadata.namespace!%3Db", ["n3"]],
  ])("select by %s", async (query, expected) => {
    const { items } = await cluster.get(`${configMaps}?${query}`);
    expect(items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(expected);
  });
});

describe("a namespace", () => {
  test("starts with its account and certificate, and goes with its content", async () => {
    await cluster.post(configMaps, { metadata: { name: "x", finalizers: ["example.com/hold"] } });
    await cluster.delete("/api/v1/namespaces/a");
    await cluster.settled();
    expect((await cluster.get("/api/v1/namespaces/a")).status.phase).toBe("Terminating");
    expect(await cluster.exists("/api/v1/namespaces/a/serviceaccounts/default")).toBe(false);
    const refused = await cluster.call("POST", configMaps, { metadata: { name: "y" } });
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.text).details.causes[0].reason).toBe("NamespaceTerminating");
    await cluster.merge(`${configMaps}/x`, { metadata: { finalizers: null } });
    await cluster.settled();
    expect(await cluster.exists("/api/v1/namespaces/a")).toBe(false);
  });
});

describe("services", () => {
  test("get an address of their own, and a taken one is refused", async () => {
    const path = "/api/v1/namespaces/a/services";
    const first = await cluster.post(path, { metadata: { name: "x" }, spec: { ports: [{ port: 80 }] } });
    const wish = { metadata: { name: "y" }, spec: { clusterIP: first.spec.clusterIP, ports: [{ port: 80 }] } };
    expect((await cluster.call("POST", path, wish)).status).toBe(422);
    await cluster.delete(`${path}/x`);
    expect((await cluster.post(path, wish)).spec.clusterIP).toBe(first.spec.clusterIP);
  });
});
