import { expect, test } from "vitest";
import type { JobContext } from "../../../engine/jobs/phase.ts";
import type { Cluster } from "../../../engine/kubernetes/cluster.ts";
import type { KubernetesObject } from "../../../engine/kubernetes/kubernetes-object.ts";
import { notReady } from "../../../engine/restore/start/waiting-for-apps.ts";

const type = { apiVersion: "apps/v1", kind: "StatefulSet", resource: "statefulsets" };
const set = (readyReplicas: number): KubernetesObject => ({
  metadata: { name: "db", uid: "1", generation: 1 },
  spec: { replicas: 2 },
  status: { observedGeneration: 1, readyReplicas },
});
const pod = (more: object, ready: string): KubernetesObject => ({
  metadata: {
    name: "db-0",
    ownerReferences: [{ apiVersion: "apps/v1", kind: "StatefulSet", name: "db", uid: "1", controller: true }],
    ...more,
  },
  status: { conditions: [{ type: "Ready", status: ready }] },
});
const going = { deletionTimestamp: "2026-01-02T03:04:05Z" };

test.each([
  ["is up", set(2), [], []],
  ["has a pod too few", set(1), [], ["db"]],
  ["counts a pod that is on its way out", set(2), [pod(going, "True")], ["db"]],
  ["has a pod that is on its way out, and does not count it", set(2), [pod(going, "False")], []],
  ["has pods that stay", set(2), [pod({}, "True")], []],
])("a stateful set that %s is looked at once, also when the time is over", async (_what, object, pods, late) => {
  const cluster = {
    async *watch() {
      yield { object, gone: false };
      yield "listed";
      await new Promise((resolve) => setTimeout(resolve, 10));
    },
    async *listMetadata() {
      yield* pods;
    },
    get: async () => pods[0],
  } as unknown as Cluster;
  const context = { signal: new AbortController().signal, info() {} } as unknown as JobContext;
  const deps = { cluster, limits: { appsStartTimeout: 100 } } as unknown as Parameters<typeof notReady>[0];
  expect(await notReady(deps, context, type, "cdp", new Map([["db", 2]]), Date.now())).toEqual(late);
});
