import { expect, test } from "vitest";
import { simulated } from "./client.ts";

const cluster = simulated({ isAllowed: ({ verb }) => verb !== "delete" });

const widgets = {
  metadata: { name: "widgets.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { kind: "Widget", plural: "widgets" },
    versions: [
      { name: "v1beta1", served: true, storage: false, schema: {} },
      { name: "v1", served: true, storage: true, schema: {}, subresources: { status: {}, scale: {} } },
    ],
  },
};
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const objects = "/apis/example.com/v1/namespaces/default/widgets";

test("discovery names groups, kinds, verbs and subresources", async () => {
  expect((await cluster.get("/version")).gitVersion).toBe("v1.35.4");
  expect((await cluster.get("/api")).versions).toEqual(["v1"]);
  const { groups } = await cluster.get("/apis");
  expect(groups).toContainEqual({
    name: "apps",
    versions: [{ groupVersion: "apps/v1", version: "v1" }],
    preferredVersion: { groupVersion: "apps/v1", version: "v1" },
  });
  const { resources } = await cluster.get("/apis/apps/v1");
  const deployment = resources.find(({ name }: { name: string }) => name === "deployments");
  expect(deployment).toMatchObject({ kind: "Deployment", namespaced: true });
  expect(deployment.verbs).toContain("deletecollection");
  expect(resources.map(({ name }: { name: string }) => name)).toContain("deployments/scale");
  expect((await cluster.call("GET", "/apis/nothing.example/v1")).status).toBe(404);
});

test("a custom kind is served once its definition is established, and goes with it", async () => {
  expect((await cluster.call("GET", objects)).status).toBe(404);
  await cluster.post(definitions, widgets);
  await cluster.settled();
  const { status } = await cluster.get(`${definitions}/widgets.example.com`);
  expect(status.conditions.map(({ type }: { type: string }) => type)).toEqual(["NamesAccepted", "Established"]);
  const body = '{"metadata":{"name":"x"},"spec":{"serial":9007199254740993},"status":{"dropped":true}}';
  await cluster.call("POST", objects, body);
  const { text } = await cluster.call("GET", "/apis/example.com/v1/widgets");
  expect(text).toContain('"items":[{"apiVersion":"example.com/v1","kind":"Widget","metadata":');
  expect(text).toContain('"spec":{"serial":9007199254740993}}]');
  const older = await cluster.get("/apis/example.com/v1beta1/namespaces/default/widgets/x");
  expect(older.apiVersion).toBe("example.com/v1beta1");

  await cluster.merge(`${objects}/x`, { metadata: { finalizers: ["example.com/hold"] } });
  await cluster.delete(`${definitions}/widgets.example.com`);
  await cluster.settled();
  expect(await cluster.exists(`${objects}/x`)).toBe(true);
  await cluster.merge(`${objects}/x`, { metadata: { finalizers: null } });
  await cluster.settled();
  expect(await cluster.exists(`${definitions}/widgets.example.com`)).toBe(false);
  expect((await cluster.call("GET", objects)).status).toBe(404);
});

test("access reviews answer by the given rules", async () => {
  const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  const ask = (verb: string) => cluster.post(path, { spec: { resourceAttributes: { verb, resource: "pods" } } });
  expect((await ask("get")).status.allowed).toBe(true);
  expect((await ask("delete")).status.allowed).toBe(false);
});
