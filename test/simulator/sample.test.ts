import { expect, test } from "vitest";
import { simulated } from "./client.ts";

const cluster = simulated({ sample: true });

test("the sample control plane runs, with data on its volumes", async () => {
  const { items } = await cluster.get("/apis/apps/v1/deployments");
  expect(items.length).toBeGreaterThan(4);
  for (const { spec, status } of items) expect(status.readyReplicas).toBe(spec.replicas);
  const { status } = await cluster.get("/apis/apps/v1/namespaces/cdp/statefulsets/cdp-embedded-db");
  expect(status.readyReplicas).toBe(1);
  const { volumes } = cluster.simulator;
  expect(volumes.list("cdp", "data-cdp-embedded-db-0")).toContain("pgdata/PG_VERSION");
  expect(volumes.list("vault-system", "data-vault-0")).not.toEqual([]);
});

test("the sample's custom resources hold what is hard to carry", async () => {
  const path = "/apis/platform.cdp.example/v1/namespaces/cdp";
  const { text } = await cluster.call("GET", `${path}/environments/production`);
  expect(text).toContain('"serial":9007199254740993,"ratio":0.50');
  const environment = JSON.parse(text);
  const workspace = await cluster.get(`${path}/workspaces/production-warehouse`);
  expect(workspace.metadata.ownerReferences[0].uid).toBe(environment.metadata.uid);
  const catalog = await cluster.get("/api/v1/namespaces/cdp/configmaps/production-warehouse-catalog");
  expect(catalog.metadata.ownerReferences[0].uid).toBe(workspace.metadata.uid);
  const held = await cluster.get(`${path}/environments/sandbox`);
  expect(held.metadata.finalizers).toEqual(["platform.cdp.example/release-network"]);
});
