import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { aControlPlane, type Outcome, type SmallControlPlane } from "./support.ts";

const deployments = "apps/v1/deployments";
const statefulSets = "apps/v1/statefulsets";
const daemonSets = "apps/v1/daemonsets";
const replicaSets = "apps/v1/replicasets";
const revisions = "apps/v1/controllerrevisions";

/** How the pods and revisions of all workloads are. */
interface Spread {
  readonly pods: readonly string[];
  readonly revisions: readonly string[];
}

let plane: SmallControlPlane;
let backup: Outcome;
let saved: Spread;

beforeAll(async () => {
  plane = await aControlPlane("roll-outs", manifests, { flags: ["--apps-start-timeout=20s"] });
  await settled(16);
  await rollOut("deployment/gateway", "v2", nowhere);
  await rollOut("deployment/undone", "v2");
  await rollOut("deployment/paused", "v2", nowhere);
  await rollOut("statefulset/canary", "v2");
  await rollOut("statefulset/by-hand", "v2");
  await rollOut("statefulset/stuck", "v2", nowhere);
  await rollOut("daemonset/by-hand", "v2");
  await plane.kubectl("delete", "pod", "by-hand-2", "--wait=false");
  await plane.kubectl("rollout", "status", "--timeout=60s", "deployment/undone");
  await plane.until(deployments, "paused", ({ status }) => status["updatedReplicas"] === 1);
  await plane.kubectl("rollout", "pause", "deployment/paused");
  await plane.until(statefulSets, "canary", ({ status }) => status["updatedReplicas"] === 1 && isUp(status, 3));
  await plane.until(statefulSets, "by-hand", ({ status }) => status["updatedReplicas"] === 1 && isUp(status, 3));
  await plane.until(statefulSets, "stuck", ({ status }) => status["updatedReplicas"] === 1 && isUp(status, 2));
  await plane.until(deployments, "gateway", ({ status }) => status["unavailableReplicas"] === 1);
  saved = await spread();
  backup = await plane.backUp({ state: "PARTIALLY_FAILED" });
});

afterAll(async () => plane?.remove());

test("a backup says whose pods it cannot distinguish", () => {
  expect(backup.warnings).toEqual([
    expect.stringContaining("roll-outs: StatefulSet by-hand replaces its pods only when they are deleted, and 1 of 3"),
  ]);
});

test("pods have the templates that they had after a restore in place, and older revisions are those that were there", async () => {
  for (const version of ["v3", "v4"]) {
    await rollOut("deployment/undone", version);
    await plane.kubectl("rollout", "status", "--timeout=60s", "deployment/undone");
  }
  const { warnings } = await plane.restore({ state: "PARTIALLY_FAILED" });
  expect(warnings).toEqual(backup.warnings);
  await isAsSaved();
});

test("pods have the templates that they had after a restore that went back", async () => {
  const { kubectl } = plane.cluster;
  await kubectl("cordon", "node-0");
  const { restoreCrn: crn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  try {
    await eventually("the restore goes back", async () => (await plane.log({ crn })).includes("rolling back"), {
      timeout: 90_000,
      interval: 200,
      look: () => plane.log({ crn }),
    });
  } finally {
    await kubectl("uncordon", "node-0");
  }
  const { errors } = await plane.service.waitForJob(crn, { state: "FAILED", timeout: 60_000 });
  expect(JSON.stringify(errors)).toContain("nodes are available");
  expect(JSON.stringify(errors)).toContain("the control plane is as before");
  await isAsSaved();
});

test("pods have the templates that they had where the namespace was gone", async () => {
  await plane.kubectl("delete", "namespace", plane.namespace);
  const { warnings } = await plane.restore({ state: "PARTIALLY_FAILED" });
  expect(warnings).toEqual(backup.warnings);
  await isAsSaved();
});

test("a roll-out can be undone after a restore", async () => {
  await plane.kubectl("rollout", "undo", "deployment/undone", "--to-revision=1");
  const { spec } = await plane.get(deployments, "undone");
  expect(spec["template"].spec.containers[0].image).toBe("example.com/app:v1");
});

test("a roll-out goes on when what it waits for comes", async () => {
  await plane.patch(deployments, "gateway", { spec: { template: { spec: { nodeSelector: null } } } });
  await plane.kubectl("rollout", "status", "--timeout=60s", "deployment/gateway");
  expect((await plane.get(deployments, "gateway"))["status"]).toMatchObject({
    updatedReplicas: 2,
    availableReplicas: 2,
  });
});

async function isAsSaved(): Promise<void> {
  await eventually("the pods are spread as they were", async () => same(await spread(), saved), {
    timeout: 15_000,
    interval: 100,
    look: async () => JSON.stringify({ saved, is: await spread() }, null, 2),
  });
  const { spec, status } = await plane.get(deployments, "paused");
  expect(spec).toMatchObject({ paused: true, replicas: 2 });
  expect(status).toMatchObject({ replicas: 3, updatedReplicas: 1 });
  const canary = await plane.get(statefulSets, "canary");
  expect(canary["spec"].updateStrategy).toEqual({ type: "RollingUpdate", rollingUpdate: { partition: 2 } });
  expect((await plane.get(statefulSets, "by-hand"))["spec"].updateStrategy.type).toBe("OnDelete");
  expect((await plane.get(daemonSets, "by-hand"))["spec"].template.spec.containers[0].image).toMatch(/v2$/);
}

function same(one: Spread, other: Spread): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

async function spread(): Promise<Spread> {
  const [pods, sets, controllerRevisions] = await Promise.all([
    plane.list("v1/pods"),
    plane.list(replicaSets),
    plane.list(revisions),
  ]);
  const numbered = [
    ...sets.map((it) => [it, it.metadata.annotations?.["deployment.kubernetes.io/revision"], it["spec"].replicas]),
    ...controllerRevisions.map((it) => [it, it["revision"], ""]),
  ] as const;
  return {
    pods: pods.map(podAs).toSorted(),
    revisions: numbered
      .map(([{ metadata }, number, replicas]) => `${metadata.name} ${number} ${replicas} of ${owner(metadata)}`)
      .toSorted(),
  };
}

/** Pods of stateful sets have lasting names. */
function podAs({ metadata, spec, status }: KubernetesObject): string {
  const isReady = (status["conditions"] ?? []).some(
    ({ type, status: is }: { type: string; status: string }) => type === "Ready" && is === "True",
  );
  const controller = metadata.ownerReferences?.[0];
  const name = controller?.kind === "StatefulSet" ? metadata.name : controller?.name;
  return `${controller?.kind} ${name} ${spec.containers[0].image} ${isReady ? "ready" : "not ready"}`;
}

function owner({ ownerReferences }: KubernetesObject["metadata"]): string {
  return ownerReferences?.map(({ kind, name }) => `${kind} ${name}`).join() ?? "nobody";
}

function isUp(status: { readyReplicas?: number }, pods: number): boolean {
  return status.readyReplicas === pods;
}

/** So many pods are ready. */
async function settled(pods: number): Promise<void> {
  await eventually(
    "all pods are ready",
    async () =>
      (await spread()).pods.filter((pod) => pod.endsWith(" ready") && !pod.endsWith("not ready")).length >= pods,
    { timeout: 60_000, interval: 100, look: async () => JSON.stringify(await spread(), null, 2) },
  );
}

const nowhere = { nodeSelector: { disk: "none" } };

/** Gives a workload a new image, in one change with whatever else its pods' spec gets. */
async function rollOut(workload: string, version: string, more: object = {}): Promise<void> {
  const patch = { spec: { template: { spec: { ...more, containers: [{ name: "main", image: image(version) }] } } } };
  await plane.kubectl("patch", workload, "--patch", JSON.stringify(patch));
}

function image(version: string): string {
  return `example.com/app:${version}`;
}

const workload = (name: string, more = "") => `
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { ${more} containers: [{ name: main, image: "${image("v1")}", args: ["a < b && c"] }] }`;
const oneMore = "strategy: { type: RollingUpdate, rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }";
const apart =
  "affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: kubernetes.io/hostname, labelSelector: { matchLabels: { app: partly } } }] } },";

const manifests = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: gateway }
spec:
  replicas: 2
  progressDeadlineSeconds: 5
  ${oneMore}${workload("gateway")}
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: paused }
spec:
  replicas: 2
  ${oneMore}${workload("paused")}
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: undone }
spec:
  replicas: 1
  revisionHistoryLimit: 1${workload("undone")}
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: partly }
spec:
  replicas: 2${workload("partly", apart)}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: canary }
spec:
  replicas: 3
  serviceName: canary
  podManagementPolicy: Parallel
  updateStrategy: { type: RollingUpdate, rollingUpdate: { partition: 2 } }${workload("canary")}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: by-hand }
spec:
  replicas: 3
  serviceName: by-hand
  updateStrategy: { type: OnDelete }${workload("by-hand")}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: stuck }
spec:
  replicas: 3
  serviceName: stuck${workload("stuck")}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: by-hand }
spec:
  updateStrategy: { type: OnDelete }${workload("by-hand-everywhere")}
`;
