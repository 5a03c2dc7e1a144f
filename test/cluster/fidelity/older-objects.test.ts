import { afterAll, beforeAll, expect, test } from "vitest";
import { storeInEtcd } from "../faults/etcd.ts";
import { eventually } from "../support/eventually.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { aControlPlane, type Outcome, type SmallControlPlane } from "./support.ts";

/* What older versions of Kubernetes took, and keep, and newer ones take of no new object. */

const cronJobs = "batch/v1/cronjobs";
const pods = "v1/pods";

interface Schedule {
  readonly name: string;
  /** As it is stored; `timeZone` beside it. */
  readonly stored: string;
  readonly beside?: string;
  readonly schedule: string;
  readonly timeZone?: string;
}
const schedules: readonly Schedule[] = [
  { name: "zone", stored: "TZ=Europe/Berlin 0 3 * * *", schedule: "0 3 * * *", timeZone: "Europe/Berlin" },
  { name: "cron-zone", stored: "CRON_TZ=UTC 0 3 * * *", schedule: "0 3 * * *", timeZone: "UTC" },
  { name: "descriptor", stored: "TZ=Asia/Tokyo @daily", schedule: "@daily", timeZone: "Asia/Tokyo" },
  { name: "interval", stored: "TZ=UTC @every 36h", schedule: "@every 36h", timeZone: "UTC" },
  { name: "spaces", stored: "TZ=UTC   0  3 * * *", schedule: "0  3 * * *", timeZone: "UTC" },
  { name: "empty", stored: "TZ= 0 3 * * *", schedule: "0 3 * * *", timeZone: "UTC" },
  { name: "local", stored: "TZ=Local 0 3 * * *", schedule: "0 3 * * *" },
  { name: "both", stored: "TZ=UTC 0 3 * * *", beside: "Asia/Tokyo", schedule: "0 3 * * *", timeZone: "UTC" },
  { name: "none", stored: "0 3 * * *", schedule: "0 3 * * *" },
  { name: "field", stored: "0 3 * * *", beside: "Asia/Tokyo", schedule: "0 3 * * *", timeZone: "Asia/Tokyo" },
  { name: "every-name", stored: "*/15 0-6/2 ? JAN,mar sun", schedule: "*/15 0-6/2 ? JAN,mar sun" },
];

/** What the API server writes into a pod that it makes, and takes of no other one. */
const podSpecs: Readonly<Record<string, object>> = {
  affine: {
    affinity: {
      podAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 1,
            podAffinityTerm: {
              topologyKey: "kubernetes.io/hostname",
              labelSelector: { matchLabels: { app: "x" } },
              matchLabelKeys: ["rev"],
              mismatchLabelKeys: ["tier"],
            },
          },
        ],
      },
    },
  },
  averse: {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          {
            topologyKey: "kubernetes.io/hostname",
            labelSelector: { matchExpressions: [{ key: "app", operator: "In", values: ["x"] }] },
            matchLabelKeys: ["rev"],
          },
        ],
      },
    },
  },
  spread: {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: { app: "x" } },
        matchLabelKeys: ["rev"],
      },
    ],
  },
  heavy: { runtimeClassName: "heavy" },
  gated: { schedulingGates: [{ name: "example.com/wait" }] },
  confined: {
    containers: [{ name: "main", image: "main", securityContext: { appArmorProfile: { type: "RuntimeDefault" } } }],
  },
};
const podNames = Object.keys(podSpecs);

const specs = new Map<string, unknown>();
let plane: SmallControlPlane;
let restored: Outcome;

beforeAll(async () => {
  plane = await aControlPlane("older-objects", manifests(), { flags: ["--max-refused-objects=100"] });
  for (const { name, stored, beside } of schedules) {
    const cronJob = await plane.get(cronJobs, name);
    const spec = { ...cronJob["spec"], schedule: stored, ...(beside !== undefined && { timeZone: beside }) };
    await storeInEtcd(plane.cluster, "cronjobs", { ...cronJob, spec });
    await eventually(`${name} is seen`, async () => (await plane.get(cronJobs, name))["spec"].schedule === stored);
  }
  for (const name of podNames) specs.set(name, specOf(await plane.get(pods, name)));
  await plane.backUp();
  await plane.kubectl("delete", "--now", "cronjobs,pods", "--all");
  restored = await plane.restore();
});

afterAll(async () => plane?.remove());

test("all of them come back without a word of warning", () => {
  expect(restored).toMatchObject({ warnings: [], errors: [] });
});

test.each(schedules)("a cron job runs when it ran before: $stored, $beside", async ({ name, schedule, timeZone }) => {
  const { spec } = await plane.get(cronJobs, name);
  expect({ schedule: spec.schedule, timeZone: spec.timeZone }).toEqual({ schedule, timeZone });
});

test.each(podNames)("a pod is as it was: %s", async (name) => {
  expect(specOf(await plane.get(pods, name))).toEqual(specs.get(name));
});

/** But for what each new pod gets. */
function specOf(pod: KubernetesObject): object {
  const { nodeName: _node, volumes: _volumes, containers, ...rest } = pod["spec"];
  const [{ volumeMounts: _mounts, ...container }] = containers;
  return { ...rest, container };
}

function manifests(): string {
  const containers = [{ name: "main", image: "main" }];
  const template = { spec: { restartPolicy: "Never", containers } };
  const ofSchedules = schedules.map(({ name }) => ({
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name },
    spec: { schedule: "0 0 1 1 *", suspend: true, jobTemplate: { spec: { template } } },
  }));
  const ofPods = podNames.map((name) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: "x", rev: "1", tier: "web" } },
    spec: { containers, ...podSpecs[name] },
  }));
  const runtimeClass = {
    apiVersion: "node.k8s.io/v1",
    kind: "RuntimeClass",
    metadata: { name: "heavy" },
    handler: "heavy",
    overhead: { podFixed: { memory: "64Mi" } },
  };
  return [runtimeClass, ...ofSchedules, ...ofPods].map((object) => JSON.stringify(object)).join("\n---\n");
}
