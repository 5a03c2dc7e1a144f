import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { storeInEtcd } from "../faults/etcd.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { aControlPlane, type Outcome, type SmallControlPlane } from "./support.ts";

const jobs = "batch/v1/jobs";
const started = "2024-05-01T10:00:00Z";
const ended = "2024-05-01T10:05:00Z";

interface FinishedJob {
  readonly spec?: object;
  readonly status: Readonly<Record<string, unknown>>;
  /** The status fields that a cluster of today requires in addition, or with other values. */
  readonly but?: object;
}
const condition = (type: string, more: object = {}) => ({
  type,
  status: "True",
  lastProbeTime: ended,
  lastTransitionTime: ended,
  ...more,
});
const complete = condition("Complete");
const failedOf = (reason: string) => condition("Failed", { reason, message: `for ${reason}` });
const succeeded = { startTime: started, completionTime: ended, succeeded: 1, uncountedTerminatedPods: {}, ready: 0 };
const failed = { startTime: started, failed: 7, uncountedTerminatedPods: {}, ready: 0 };
const indexed = { completionMode: "Indexed", completions: 4, parallelism: 2 };

const table: Readonly<Record<string, FinishedJob>> = {
  "complete-before-1-31": { status: { ...succeeded, conditions: [complete] } },
  "complete-since-1-31": {
    status: { ...succeeded, terminating: 0, conditions: [condition("SuccessCriteriaMet"), complete] },
  },
  "failed-by-backoff": { status: { ...failed, conditions: [failedOf("BackoffLimitExceeded")] } },
  "failed-by-deadline": {
    spec: { activeDeadlineSeconds: 60 },
    status: { ...failed, conditions: [failedOf("DeadlineExceeded")] },
  },
  "failed-by-policy": {
    spec: { podFailurePolicy: { rules: [{ action: "FailJob", onExitCodes: { operator: "In", values: [42] } }] } },
    status: {
      ...failed,
      conditions: [condition("FailureTarget", { reason: "PodFailurePolicy" }), failedOf("PodFailurePolicy")],
    },
  },
  "failed-while-pods-ended": {
    status: { ...failed, active: 2, ready: 1, terminating: 1, conditions: [failedOf("BackoffLimitExceeded")] },
    but: { active: undefined, ready: 0, terminating: 0 },
  },
  "resumed-and-failed": {
    status: { ...failed, conditions: [condition("Suspended", { status: "False" }), failedOf("BackoffLimitExceeded")] },
  },
  "suspended-again": {
    spec: { suspend: true },
    status: { ...succeeded, conditions: [complete] },
  },
  "indexed-complete": {
    spec: indexed,
    status: { ...succeeded, succeeded: 4, completedIndexes: "0-3", conditions: [complete] },
  },
  "indexed-failed": {
    spec: { ...indexed, backoffLimitPerIndex: 1 },
    status: {
      ...failed,
      succeeded: 2,
      completedIndexes: "0,2",
      failedIndexes: "1,3",
      conditions: [failedOf("FailedIndexes")],
    },
  },
  "by-success-policy": {
    spec: { ...indexed, successPolicy: { rules: [{ succeededIndexes: "0" }] } },
    status: { ...succeeded, completedIndexes: "0", conditions: [complete] },
  },
  uncounted: {
    status: { ...succeeded, uncountedTerminatedPods: { succeeded: ["a"], failed: ["b", "c"] }, conditions: [complete] },
    but: { succeeded: 2, failed: 2, uncountedTerminatedPods: {} },
  },
  "never-started": {
    status: { conditions: [failedOf("DeadlineExceeded")] },
  },
  "without-completion-time": {
    status: { ...succeeded, completionTime: undefined, conditions: [complete] },
    but: { completionTime: ended },
  },
  "failed-with-completion-time": {
    status: { ...failed, completionTime: ended, conditions: [failedOf("BackoffLimitExceeded")] },
    but: { completionTime: undefined },
  },
  "ended-before-it-started": {
    status: { ...succeeded, startTime: "2024-05-01T10:05:01Z", conditions: [complete] },
    but: { startTime: ended },
  },
  "of-both-ends": {
    status: { ...succeeded, conditions: [condition("FailureTarget"), complete] },
  },
};
const names = Object.keys(table);

let plane: SmallControlPlane;
let restored: Outcome;

beforeAll(async () => {
  plane = await aControlPlane("finished-jobs", names.map(manifestOf).join("---\n"), {
    flags: ["--max-refused-objects=100"],
  });
  for (const name of names) {
    const { spec, status } = table[name] as FinishedJob;
    const job = await plane.get(jobs, name);
    const suspend = { suspend: false, ...spec }.suspend;
    await storeInEtcd(plane.cluster, "jobs", { ...job, spec: { ...job["spec"], suspend }, status });
    await eventually(`${name} is seen as finished`, async () =>
      JSON.stringify((await plane.get(jobs, name))["status"]?.conditions ?? "").includes(ended),
    );
  }
  await plane.backUp();
  await plane.kubectl("delete", "jobs", "--all", "--wait=true");
  restored = await plane.restore();
});

afterAll(async () => plane?.remove());

test("jobs that have finished under any version of Kubernetes are restored without a word", () => {
  expect(restored).toMatchObject({ warnings: [], errors: [] });
});

test.each(names)("a job is finished as it was: %s", async (name) => {
  const { spec, status, but = {} } = table[name] as FinishedJob;
  const job = await plane.get(jobs, name);
  const { conditions, ...rest } = job["status"];
  const { conditions: before, ...wanted } = { ...status, ...but } as { conditions: { type: string }[] };
  expect(rest).toMatchObject(JSON.parse(JSON.stringify(wanted)) as object);
  for (const field of Object.keys(but).filter((field) => (but as Record<string, unknown>)[field] === undefined))
    expect(rest[field]).toBeUndefined();
  const isPossible = ({ type }: { type: string }) => name !== "of-both-ends" || type === "Complete";
  for (const condition of before.filter(isPossible))
    expect(conditions).toContainEqual(expect.objectContaining(condition));
  expect(job["spec"].suspend).toBe({ suspend: false, ...spec }.suspend);
  expect(podsOf(await plane.list("v1/pods"), name)).toEqual([]);
});

function podsOf(pods: readonly KubernetesObject[], job: string): readonly KubernetesObject[] {
  return pods.filter(({ metadata }) => metadata.labels?.["job-name"] === job);
}

function manifestOf(name: string): string {
  const { spec = {} } = table[name] as FinishedJob;
  return `
apiVersion: batch/v1
kind: Job
metadata: { name: ${name} }
spec: ${JSON.stringify({
    ...spec,
    suspend: true,
    template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "main" }] } },
  })}
`;
}
