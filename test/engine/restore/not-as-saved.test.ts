import { expect, test } from "vitest";
import type { JobContext } from "../../../engine/jobs/phase.ts";
import type { Cluster } from "../../../engine/kubernetes/cluster.ts";
import { lossOf, reportNotAsSaved } from "../../../engine/restore/validate/not-as-saved.ts";

const type = (apiVersion: string, kind: string) => ({
  apiVersion,
  kind,
  resource: `${kind.toLowerCase()}s`,
  namespaced: true,
});
const secrets = type("v1", "Secret");
const services = type("v1", "Service");
const jobs = type("batch/v1", "Job");
const cronJobs = type("batch/v1", "CronJob");
const balanced = (...ingress: object[]) => ({ spec: { type: "LoadBalancer" }, status: { loadBalancer: { ingress } } });
const failed = { type: "Failed", status: "True" };

test.each([
  { of: secrets, object: { type: "kubernetes.io/service-account-token" }, loss: /new token/ },
  { of: secrets, object: { type: "Opaque" } },
  { of: services, object: balanced({ ip: "192.0.2.1" }, { hostname: "a.example.com" }), loss: /192.0.2.1, a.example/ },
  { of: services, object: balanced() },
  { of: services, object: { spec: { type: "ClusterIP" } } },
  { of: jobs, object: { status: { succeeded: 3 } }, loss: /also with 3 pods/ },
  { of: jobs, object: { status: { succeeded: 2, completedIndexes: "0,3" } }, loss: /the indexes 0,3/ },
  { of: jobs, object: { status: { succeeded: 2, conditions: [failed] } } },
  { of: jobs, object: { status: { failed: 1 } } },
  { of: jobs, object: {} },
  { of: cronJobs, object: { spec: { schedule: "TZ=Asia/Tokyo @daily" } }, loss: /becomes @daily with .* Asia\/Tokyo/ },
  { of: cronJobs, object: { spec: { schedule: "@daily", timeZone: "Asia/Tokyo" } } },
])("of $of.kind $object is lost: $loss", ({ of, object, loss }) => {
  expect(lossOf(of, { metadata: { name: "it" }, ...object }) ?? "nothing").toMatch(loss ?? /^nothing$/);
});

test.each([
  { live: undefined, told: 1 },
  { live: "other", told: 1 },
  { live: "same", told: 0 },
])("an object that is there as $live is reported $told times", async ({ live, told }) => {
  const lines: string[] = [];
  const context = {
    signal: new AbortController().signal,
    info: (text: string) => lines.push(text),
  } as unknown as JobContext;
  const cluster = { get: async () => live && { metadata: { name: "it", uid: live } } } as unknown as Cluster;
  const metadata = { name: "it", namespace: "n", uid: "same" };
  await reportNotAsSaved(cluster, context, { type: secrets, metadata, loss: "it gets a new token" });
  expect(lines).toHaveLength(told);
});
