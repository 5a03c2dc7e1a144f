import { beforeEach, describe, expect, test } from "vitest";
import { simulated } from "./client.ts";

const cluster = simulated();
const apps = "/apis/apps/v1/namespaces/default";
const core = "/api/v1/namespaces/default";
const template = {
  metadata: { labels: { app: "x" } },
  spec: { containers: [{ name: "main", image: "registry.example/x" }] },
};
const selector = { matchLabels: { app: "x" } };

beforeEach(() => cluster.settled());

function owner(name: string, uid: string) {
  return { apiVersion: "v1", kind: "ConfigMap", name, uid };
}

async function podNames(): Promise<readonly string[]> {
  const { items } = await cluster.get(`${core}/pods`);
  return items.map((item: { metadata: { name: string } }) => item.metadata.name);
}

describe("a deployment", () => {
  beforeEach(async () => {
    await cluster.post(`${apps}/deployments`, { metadata: { name: "x" }, spec: { replicas: 2, selector, template } });
    await cluster.settled();
  });

  test("has running pods and says so", async () => {
    expect(await podNames()).toHaveLength(2);
    const { status, metadata } = await cluster.get(`${apps}/deployments/x`);
    expect(status).toMatchObject({
      replicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
      observedGeneration: metadata.generation,
    });
    expect(status.conditions).toContainEqual(expect.objectContaining({ type: "Available", status: "True" }));
  });

  test("scaled to zero has none", async () => {
    const scale = await cluster.get(`${apps}/deployments/x/scale`);
    expect(scale).toMatchObject({ kind: "Scale", spec: { replicas: 2 }, status: { replicas: 2, selector: "app=x" } });
    await cluster.merge(`${apps}/deployments/x/scale`, { spec: { replicas: 0 } });
    await cluster.settled();
    expect(await podNames()).toEqual([]);
    const { status, spec } = await cluster.get(`${apps}/deployments/x`);
    expect(spec.replicas).toBe(0);
    expect(status.replicas).toBeUndefined();
    await cluster.put(`${apps}/deployments/x/scale`, { ...scale, metadata: { name: "x" }, spec: { replicas: 3 } });
    await cluster.settled();
    expect(await podNames()).toHaveLength(3);
  });

  test("takes its replica sets and pods along; an orphaning deletion leaves them", async () => {
    await cluster.delete(`${apps}/deployments/x`, { propagationPolicy: "Orphan" });
    await cluster.settled();
    expect(await podNames()).toHaveLength(2);
    const { items } = await cluster.get(`${apps}/replicasets`);
    expect(items[0].metadata.ownerReferences).toBeUndefined();

    await cluster.post(`${apps}/deployments`, { metadata: { name: "x" }, spec: { replicas: 2, selector, template } });
    await cluster.settled();
    expect((await cluster.get(`${apps}/replicasets`)).items).toHaveLength(1);
    await cluster.delete(`${apps}/deployments/x`);
    await cluster.settled();
    expect(await podNames()).toEqual([]);
  });

  test("replaces its pods when the template changes", async () => {
    const before = await podNames();
    await cluster.merge(`${apps}/deployments/x`, {
      spec: { template: { metadata: { annotations: { changed: "1" } } } },
    });
    await cluster.settled();
    const after = await podNames();
    expect(after).toHaveLength(2);
    expect(after.some((name) => before.includes(name))).toBe(false);
  });
});

test("a stateful set's pods keep their claims", async () => {
  const claimTemplate = {
    metadata: { name: "data" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };
  await cluster.post(`${apps}/statefulsets`, {
    metadata: { name: "db" },
    spec: { replicas: 2, serviceName: "db", selector, template, volumeClaimTemplates: [claimTemplate] },
  });
  await cluster.settled();
  expect(await podNames()).toEqual(["db-0", "db-1"]);
  expect((await cluster.get(`${apps}/statefulsets/db`)).status).toMatchObject({ replicas: 2, readyReplicas: 2 });

  const used = await cluster.delete(`${core}/persistentvolumeclaims/data-db-1`);
  expect(used.metadata.finalizers).toEqual(["kubernetes.io/pvc-protection"]);
  await cluster.settled();
  expect(await cluster.exists(`${core}/persistentvolumeclaims/data-db-1`)).toBe(true);
  await cluster.merge(`${apps}/statefulsets/db`, { spec: { replicas: 1 } });
  await cluster.settled();
  expect(await podNames()).toEqual(["db-0"]);
  expect(await cluster.exists(`${core}/persistentvolumeclaims/data-db-1`)).toBe(false);
  expect(await cluster.exists(`${core}/persistentvolumeclaims/data-db-0`)).toBe(true);
});

test("a daemon set has a pod on each node, and a job's pod ends well", async () => {
  await cluster.post(`${apps}/daemonsets`, { metadata: { name: "agent" }, spec: { selector, template } });
  await cluster.post("/apis/batch/v1/namespaces/default/jobs", {
    metadata: { name: "once" },
    spec: { template: { spec: { ...template.spec, restartPolicy: "Never" } } },
  });
  await cluster.settled();
  expect((await cluster.get(`${apps}/daemonsets/agent`)).status).toMatchObject({
    desiredNumberScheduled: 1,
    numberReady: 1,
  });
  const job = await cluster.get("/apis/batch/v1/namespaces/default/jobs/once");
  expect(job.status).toMatchObject({ succeeded: 1 });
  expect(job.spec.selector.matchLabels["batch.kubernetes.io/controller-uid"]).toBe(job.metadata.uid);
  const { status } = await cluster.call("POST", "/apis/batch/v1/namespaces/default/jobs", {
    metadata: { name: "again" },
    spec: { selector: job.spec.selector, template: job.spec.template },
  });
  expect(status).toBe(422);
});

describe("the garbage collector", () => {
  test("goes by the owner's uid", async () => {
    const { metadata } = await cluster.post(`${core}/configmaps`, { metadata: { name: "owner" } });
    const right = { metadata: { name: "right", ownerReferences: [owner("owner", metadata.uid)] } };
    const wrong = {
      metadata: { name: "wrong", ownerReferences: [owner("owner", "00000000-0000-0000-0000-000000000000")] },
    };
    await cluster.post(`${core}/secrets`, right);
    await cluster.post(`${core}/secrets`, wrong);
    await cluster.settled();
    expect(await cluster.exists(`${core}/secrets/right`)).toBe(true);
    expect(await cluster.exists(`${core}/secrets/wrong`)).toBe(false);
  });

  test("spares what still has another owner", async () => {
    const one = await cluster.post(`${core}/configmaps`, { metadata: { name: "one" } });
    const two = await cluster.post(`${core}/configmaps`, { metadata: { name: "two" } });
    const ownerReferences = [owner("one", one.metadata.uid), owner("two", two.metadata.uid)];
    await cluster.post(`${core}/secrets`, { metadata: { name: "x", ownerReferences } });
    await cluster.delete(`${core}/configmaps/one`);
    await cluster.settled();
    expect((await cluster.get(`${core}/secrets/x`)).metadata.ownerReferences).toEqual([owner("two", two.metadata.uid)]);
    await cluster.delete(`${core}/configmaps/two`);
    await cluster.settled();
    expect(await cluster.exists(`${core}/secrets/x`)).toBe(false);
  });

  test("deletes dependents first in the foreground", async () => {
    const { metadata } = await cluster.post(`${core}/configmaps`, { metadata: { name: "owner" } });
    const held = { name: "held", finalizers: ["example.com/hold"], ownerReferences: [owner("owner", metadata.uid)] };
    await cluster.post(`${core}/secrets`, { metadata: held });
    await cluster.delete(`${core}/configmaps/owner`, { propagationPolicy: "Foreground" });
    await cluster.settled();
    expect(await cluster.exists(`${core}/configmaps/owner`)).toBe(true);
    await cluster.merge(`${core}/secrets/held`, { metadata: { finalizers: null } });
    await cluster.settled();
    expect(await cluster.exists(`${core}/configmaps/owner`)).toBe(false);
  });
});
