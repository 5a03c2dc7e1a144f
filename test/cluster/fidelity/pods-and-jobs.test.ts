import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { aControlPlane, clusterPath, type Outcome, type SmallControlPlane } from "./support.ts";

const pods = "v1/pods";
const jobs = "batch/v1/jobs";
const cronJobs = "batch/v1/cronjobs";
const claims = "v1/persistentvolumeclaims";

let plane: SmallControlPlane;
/** By kind and name, as they were saved. */
const before = new Map<string, KubernetesObject>();
let restored: Outcome;

beforeAll(async () => {
  plane = await aControlPlane("pods-and-jobs", manifests);
  await plane.create(operatorsPod((await plane.get("v1/configmaps", "operand")).metadata["uid"] as string));
  await plane.until(jobs, "migration", (job) => job["status"]?.completionTime !== undefined);
  for (const name of ["toolbox", "mirrored", "operated"]) await plane.until(pods, name, isRunning);
  await plane.kubectl("debug", "toolbox", "--image=example.com/debug", "--container=debugger", "--attach=false");
  await plane.until(jobs, "hopeless", hasFailed);
  await plane.kubectl("patch", "pod/report", "--subresource=status", "--patch", '{"status":{"phase":"Succeeded"}}');
  await plane.backUp();
  for (const kind of [pods, jobs, cronJobs, claims])
    for (const object of await plane.list(kind)) before.set(`${kind} ${object.metadata.name}`, object);

  await plane.kubectl("delete", "--now", "pod/toolbox", "pod/report", "job/migration", "job/chosen", "job/hopeless");
  await plane.patch(cronJobs, "retired", { spec: { suspend: false } });
  await plane.kubectl("delete", "priorityclass/pods-ours", "priorityclass/pods-shared");
  await plane.create(priorityClasses({ value: 1 }));
  await plane.cluster.kubernetes.create("/apis/apps/v1/namespaces/default/replicasets", othersUse("pods-shared"));
  restored = await plane.restore({ state: "PARTIALLY_FAILED" });
});

afterAll(async () => {
  await plane?.cluster.kubectl("delete", "--namespace=default", "--ignore-not-found", "replicaset/others");
  await plane?.remove();
});

test("a pod of its own runs again", async () => {
  const pod = await plane.until(pods, "toolbox", isRunning);
  expect(pod.metadata["uid"]).not.toBe(before.get(`${pods} toolbox`)?.metadata["uid"]);
  expect(pod["spec"].containers).toMatchObject([{ name: "main", image: "example.com/toolbox" }]);
});

test("a pod runs again on its node's port, and without the container that was added to look into it", async () => {
  const was = before.get(`${pods} toolbox`)?.["spec"];
  expect(was.ephemeralContainers).toMatchObject([{ name: "debugger" }]);
  const { spec } = await plane.get(pods, "toolbox");
  expect(spec.ephemeralContainers).toBeUndefined();
  expect(spec.containers[0].ports).toEqual(was.containers[0].ports);
  expect(spec.containers[0].ports).toMatchObject([{ hostPort: 8080 }]);
});

test("a claim that a pod brings with it is its new pod's, and empty like each of its kind", async () => {
  const claim = await plane.until(claims, "toolbox-scratch", ({ status }) => status?.phase === "Bound");
  expect(claim.metadata["uid"]).not.toBe(before.get(`${claims} toolbox-scratch`)?.metadata["uid"]);
  const { metadata } = await plane.get(pods, "toolbox");
  expect(claim.metadata.ownerReferences).toMatchObject([{ kind: "Pod", name: "toolbox", uid: metadata["uid"] }]);
  expect(claim["spec"].dataSource).toBeUndefined();
});

test("a priority that only these namespaces' pods have is put back, one that others have is left with a warning", async () => {
  expect((await plane.get(pods, "toolbox"))["spec"].priority).toBe(1_000);
  const values = ["pods-ours", "pods-shared"].map(async (name) => {
    const priorityClass = await plane.cluster.kubernetes.get(clusterPath("scheduling.k8s.io/v1/priorityclasses", name));
    return priorityClass["value"] as number;
  });
  expect(await Promise.all(values)).toEqual([1_000, 1]);
  expect(restored).toMatchObject({
    errors: [],
    warnings: [expect.stringContaining("PriorityClass pods-shared is not")],
  });
});

test("a pod that had finished is not run again, and the log says so", async () => {
  expect(await plane.find(pods, "report")).toBeUndefined();
  expect(await plane.log(restored)).toContain("pod pods-and-jobs/report had finished and is not run again");
});

test("a mirror pod is its node's own and left alone", async () => {
  expect((await plane.get(pods, "mirrored")).metadata["uid"]).toBe(before.get(`${pods} mirrored`)?.metadata["uid"]);
});

test("a pod that an operator controls is stopped, and left to the operator", async () => {
  expect(await plane.find(pods, "operated")).toBeUndefined();
  expect(await plane.find("v1/configmaps", "operand")).toBeDefined();
});

test("a finished job comes back as finished and does not run again", async () => {
  const job = await plane.get(jobs, "migration");
  expect(job["status"].completionTime).toBe(before.get(`${jobs} migration`)?.["status"].completionTime);
  expect(job["spec"].suspend).toBe(false);
  const ofJob = (await plane.list(pods)).filter((pod) => pod.metadata.labels?.["job-name"] === "migration");
  expect(ofJob).toEqual([]);
});

test("a job that had failed comes back as failed and does not run again", async () => {
  const job = await plane.get(jobs, "hopeless");
  expect(job.metadata["uid"]).not.toBe(before.get(`${jobs} hopeless`)?.metadata["uid"]);
  expect(job["status"].conditions).toEqual(before.get(`${jobs} hopeless`)?.["status"].conditions);
  expect(job["spec"].suspend).toBe(false);
  const ofJob = (await plane.list(pods)).filter((pod) => pod.metadata.labels?.["job-name"] === "hopeless");
  expect(ofJob).toEqual([]);
});

test("a job selects its pods by its own new uid, unless its user chose the selector", async () => {
  const { metadata, spec } = await plane.get(jobs, "migration");
  expect(spec.selector.matchLabels).toEqual({ "batch.kubernetes.io/controller-uid": metadata["uid"] });
  expect(spec.template.metadata.labels).toMatchObject({
    step: "1",
    "controller-uid": metadata["uid"],
    "batch.kubernetes.io/controller-uid": metadata["uid"],
  });
  expect((await plane.get(jobs, "chosen"))["spec"]).toMatchObject({
    manualSelector: true,
    suspend: true,
    selector: { matchLabels: { app: "chosen" } },
  });
});

test("a cron job runs when it is due the next time, and does not make up for what it missed", async () => {
  const ranAgain = async () => (await plane.get(cronJobs, "minutely"))["status"]?.lastScheduleTime !== undefined;
  await eventually("the minutely job has run since the restore", ranAgain, { timeout: 90_000 });
  const { metadata, spec } = await plane.get(cronJobs, "minutely");
  expect(spec.suspend).toBe(false);
  const since = new Date(metadata["creationTimestamp"] as string);
  for (const job of await plane.list(jobs)) {
    if (before.has(`${jobs} ${job.metadata.name}`)) continue;
    const due = job.metadata.annotations?.["batch.kubernetes.io/cronjob-scheduled-timestamp"];
    expect(new Date(due!).getTime()).toBeGreaterThanOrEqual(since.getTime());
  }
  expect((await plane.get(cronJobs, "retired"))["spec"].suspend).toBe(true);
});

function hasFailed(job: KubernetesObject): boolean {
  const conditions: readonly { type: string; status: string }[] = job["status"]?.conditions ?? [];
  return conditions.some(({ type, status }) => type === "Failed" && status === "True");
}

function isRunning(pod: KubernetesObject): boolean {
  return pod["status"]?.phase === "Running";
}

const container = (name: string) => `containers: [{ name: main, image: example.com/${name} }]`;

/** As an operator makes it for a custom resource. */
const operatorsPod = (uid: string) => `
apiVersion: v1
kind: Pod
metadata:
  name: operated
  ownerReferences: [{ apiVersion: v1, kind: ConfigMap, name: operand, uid: ${uid}, controller: true }]
spec: { ${container("operated")} }
`;

const priorityClasses = ({ value }: { value: number }) => `
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: { name: pods-ours }
value: ${value}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: { name: pods-shared }
value: ${value}
`;

/** A workload in another namespace, which has no pod at the moment. */
function othersUse(priorityClassName: string): object {
  const labels = { app: "others" };
  const spec = { priorityClassName, containers: [{ name: "main", image: "example.com/others" }] };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "others" },
    spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

const manifests = `${priorityClasses({ value: 1_000 })}---
apiVersion: v1
kind: ConfigMap
metadata: { name: operand }
---
apiVersion: v1
kind: Pod
metadata: { name: toolbox }
spec:
  priorityClassName: pods-ours
  containers:
    - name: main
      image: example.com/toolbox
      ports: [{ containerPort: 80, hostPort: 8080 }]
      volumeMounts: [{ name: scratch, mountPath: /scratch }]
  volumes:
    - name: scratch
      ephemeral:
        volumeClaimTemplate: { spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } } }
---
apiVersion: v1
kind: Pod
metadata: { name: report }
spec: { priorityClassName: pods-shared, restartPolicy: Never, ${container("report")} }
---
apiVersion: v1
kind: Pod
metadata: { name: mirrored, annotations: { kubernetes.io/config.mirror: 4bf1e2 } }
spec: { nodeName: node-0, ${container("mirrored")} }
---
apiVersion: batch/v1
kind: Job
metadata: { name: migration }
spec:
  template:
    metadata: { labels: { step: "1" } }
    spec: { restartPolicy: Never, ${container("migration")} }
---
apiVersion: batch/v1
kind: Job
metadata: { name: hopeless }
spec:
  activeDeadlineSeconds: 1
  template: { spec: { restartPolicy: Never, nodeSelector: { there: is-none }, ${container("hopeless")} } }
---
apiVersion: batch/v1
kind: Job
metadata: { name: chosen }
spec:
  manualSelector: true
  suspend: true
  selector: { matchLabels: { app: chosen } }
  template:
    metadata: { labels: { app: chosen } }
    spec: { restartPolicy: Never, ${container("chosen")} }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: minutely }
spec:
  schedule: "* * * * *"
  jobTemplate: { spec: { template: { spec: { restartPolicy: Never, ${container("minutely")} } } } }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: retired }
spec:
  schedule: "* * * * *"
  suspend: true
  jobTemplate: { spec: { template: { spec: { restartPolicy: Never, ${container("retired")} } } } }
`;
