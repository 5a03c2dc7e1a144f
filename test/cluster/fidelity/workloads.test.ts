import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimFolder } from "../support/volumes.ts";
import { aControlPlane, type SmallControlPlane } from "./support.ts";

const statefulSets = "apps/v1/statefulsets";
const deployments = "apps/v1/deployments";
const daemonSets = "apps/v1/daemonsets";
const revisions = "apps/v1/controllerrevisions";

let plane: SmallControlPlane;

beforeAll(async () => {
  plane = await aControlPlane("workloads", manifests);
  await rolledOut();
  await plane.kubectl("set", "env", "statefulset/db", "daemonset/everywhere", "RELEASE=2");
  await rolledOut();
  await plane.kubectl("rollout", "pause", "deployment/paused");
  for (const ordinal of [0, 1]) await writeFile(await fileOf(ordinal), `of db-${ordinal}`);
  await plane.backUp();

  for (const ordinal of [0, 1]) await writeFile(await fileOf(ordinal), "overwritten");
  await plane.kubectl("delete", "statefulset/db", "daemonset/everywhere");
  await plane.patch(deployments, "web", { spec: { replicas: 1 } });
  await plane.patch(deployments, "none", { spec: { replicas: 2 } });
  await plane.patch(deployments, "held-back", { spec: { template: { spec: { hostNetwork: true } } } });
  await plane.patch(daemonSets, "nowhere", { spec: { template: { spec: { nodeSelector: null } } } });
  await plane.restore();
});

afterAll(async () => plane?.remove());

test("the pods of a stateful set meet their own claims", async () => {
  const names = (await plane.list("v1/persistentvolumeclaims")).map((claim) => claim.metadata.name);
  expect(names.toSorted()).toEqual(["data-db-0", "data-db-1"]);
  for (const ordinal of [0, 1]) {
    expect(await readFile(await fileOf(ordinal), "utf8")).toBe(`of db-${ordinal}`);
    const { spec } = await plane.get("v1/pods", `db-${ordinal}`);
    expect(spec.volumes).toContainEqual({
      name: "data",
      persistentVolumeClaim: { claimName: `data-db-${ordinal}` },
    });
  }
});

test("deployments have the replica counts they had, zero included", async () => {
  const web = await plane.get(deployments, "web");
  expect(web).toMatchObject({ spec: { replicas: 3 }, status: { availableReplicas: 3 } });
  expect((await plane.get(deployments, "none"))["spec"].replicas).toBe(0);
});

test("a deployment that was paused runs, and is paused", async () => {
  const paused = await plane.get(deployments, "paused");
  expect(paused).toMatchObject({ spec: { replicas: 2, paused: true }, status: { availableReplicas: 2 } });
});

test("a deployment that was paused before it ever ran does not run", async () => {
  const { spec } = await plane.get(deployments, "held-back");
  expect(spec).toMatchObject({ replicas: 2, paused: true });
  const owners = (await plane.list("apps/v1/replicasets")).map(({ metadata }) => metadata.ownerReferences?.[0]?.name);
  expect(owners).not.toContain("held-back");
});

test("daemon sets run on the nodes they ran on", async () => {
  expect((await plane.get(daemonSets, "everywhere"))["status"].numberReady).toBe(1);
  const nowhere = await plane.get(daemonSets, "nowhere");
  expect(nowhere["spec"].template.spec.nodeSelector).toEqual({ disk: "ssd" });
  expect(nowhere["status"].desiredNumberScheduled).toBe(0);
});

test("no set finds another revision than its own and rolls its pods once more; the older ones are there, too", async () => {
  const { currentRevision, updateRevision, replicas } = (await plane.get(statefulSets, "db"))["status"];
  expect({ currentRevision, replicas }).toEqual({ currentRevision: updateRevision, replicas: 2 });
  const byOwner = Map.groupBy(await plane.list(revisions), (it) => it.metadata.ownerReferences?.[0]?.name);
  expect([...byOwner].map(([name, { length }]) => `${name} ${length}`).toSorted()).toEqual([
    "db 2",
    "everywhere 2",
    "nowhere 1",
  ]);
});

async function rolledOut(): Promise<void> {
  await plane.kubectl("rollout", "status", "--timeout=60s", "statefulset/db");
  await plane.kubectl("rollout", "status", "--timeout=60s", "daemonset/everywhere");
  await plane.kubectl("rollout", "status", "--timeout=60s", "deployment/web");
  await plane.kubectl("rollout", "status", "--timeout=60s", "deployment/paused");
}

async function fileOf(ordinal: number): Promise<string> {
  return join(await claimFolder(plane.cluster, plane.namespace, `data-db-${ordinal}`), "content");
}

const workload = (name: string) => `
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }`;
const containers = "containers: [{ name: main, image: example.com/app }]";

const manifests = `
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  replicas: 2
  serviceName: db
  podManagementPolicy: Parallel
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
${workload("db")}
    spec: { ${containers} }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 3
${workload("web")}
    spec: { ${containers} }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: paused }
spec:
  replicas: 2
${workload("paused")}
    spec: { ${containers} }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: held-back }
spec:
  replicas: 2
  paused: true
${workload("held-back")}
    spec: { ${containers} }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: none }
spec:
  replicas: 0
${workload("none")}
    spec: { ${containers} }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: everywhere }
spec:
${workload("everywhere")}
    spec: { ${containers} }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: nowhere }
spec:
${workload("nowhere")}
    spec: { nodeSelector: { disk: ssd }, ${containers} }
`;
