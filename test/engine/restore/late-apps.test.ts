import { expect, test } from "vitest";
import type { JobContext } from "../../../engine/jobs/phase.ts";
import { Cluster } from "../../../engine/kubernetes/cluster.ts";
import type { ContainerLog } from "../../../engine/kubernetes/cluster-reads.ts";
import { KubernetesError } from "../../../engine/kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../../../engine/kubernetes/kubernetes-object.ts";
import { reportLate } from "../../../engine/restore/start/late-apps.ts";

const type = { apiVersion: "apps/v1", kind: "Deployment", resource: "deployments", namespaced: true };
const app = { type, namespace: "cdp", name: "web" };
const deployment = (status: object): KubernetesObject => ({
  metadata: { name: "web", namespace: "cdp", uid: "1" },
  spec: { selector: { matchLabels: { app: "web" } } },
  status,
});
const crashed: KubernetesObject = {
  metadata: { name: "web-1", namespace: "cdp", uid: "2" },
  status: {
    conditions: [{ type: "Ready", status: "False" }],
    containerStatuses: [
      { name: "fine", ready: true },
      { name: "main", ready: false, restartCount: 3, state: { waiting: { reason: "CrashLoopBackOff" } } },
    ],
  },
};

test("the events and the last lines of containers that do not come up are in the job's log", async () => {
  const logs: ContainerLog[] = [];
  const event = { reason: "BackOff", message: "restarting", lastTimestamp: "t", involvedObject: { uid: "2" } };
  const { causes, lines } = await told({
    objects: { deployments: [deployment({})], pods: [crashed], events: [event] },
    containerLog: async (log: ContainerLog) => {
      logs.push(log);
      return ["no such table: users"];
    },
  });
  expect(logs).toEqual([{ namespace: "cdp", pod: "web-1", container: "main", lines: 20, previous: true }]);
  expect(lines).toEqual([
    "pod cdp/web-1: t BackOff: restarting",
    "pod cdp/web-1, container main: CrashLoopBackOff",
    "pod cdp/web-1, container main wrote: no such table: users",
  ]);
  expect(causes).toEqual(["Deployment cdp/web: container main of pod web-1 is in CrashLoopBackOff"]);
});

test("of a workload that may make no pods the condition is quoted that says so", async () => {
  const message = 'pods "web-1" is forbidden: violates PodSecurity "restricted:latest"';
  const conditions = [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message }];
  const { causes } = await told({ objects: { deployments: [deployment({ conditions })] } });
  expect(causes).toEqual([`Deployment cdp/web: ${message}`]);
});

test("a log that may not be read is not asked for", async () => {
  const { lines } = await told({
    objects: { deployments: [deployment({})], pods: [crashed] },
    isAllowed: async () => false,
    containerLog: () => Promise.reject(new Error("asked for")),
  });
  expect(lines).toEqual(["pod cdp/web-1, container main: CrashLoopBackOff"]);
});

test("a log that cannot be read keeps nothing else from being reported", async () => {
  const { causes } = await told({
    objects: { deployments: [deployment({})], pods: [crashed] },
    containerLog: () => Promise.reject(new KubernetesError("GET", 500, "the kubelet is away")),
  });
  expect(causes).toEqual(["Deployment cdp/web: container main of pod web-1 is in CrashLoopBackOff"]);
});

interface Fake extends Partial<Pick<Cluster, "isAllowed" | "containerLog">> {
  readonly objects: Readonly<Record<string, readonly object[]>>;
}

async function told({ objects, ...more }: Fake): Promise<{ causes: readonly string[]; lines: readonly string[] }> {
  const lines: string[] = [];
  const cluster = {
    get: async ({ resource }: { resource: string }) => objects[resource]?.[0],
    async *list({ resource }: { resource: string }) {
      yield* objects[resource] ?? [];
    },
    isAllowed: async () => true,
    containerLog: async () => [],
    ...more,
  } as unknown as Cluster;
  const context = { signal: new AbortController().signal, info: (line: string) => lines.push(line) };
  const causes = await reportLate({ cluster }, context as unknown as JobContext, [app]);
  return { causes, lines };
}
