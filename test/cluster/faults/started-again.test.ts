import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { SmallControlPlane } from "../fidelity/support.ts";
import { FakeOperator, operatorName } from "./fake-operator.ts";
import { aRunningControlPlane, differencesSince, type Picture, release, settled, takePictureOf } from "./scene.ts";

const namespace = "faults-started-again";
const deployments = "apps/v1/deployments";
const statefulSets = "apps/v1/statefulsets";

type Workload = [
  kind: string,
  name: string,
  trigger: "scaled" | "deleted",
  givesUp?: (interventions: number) => boolean,
];

let plane: SmallControlPlane;
let backedUp: Picture;

beforeAll(async () => {
  plane = await aRunningControlPlane(namespace, ["--pods-stop-timeout=6s"]);
  await plane.create(operator);
  await plane.until(deployments, "operator", ({ status }) => status?.availableReplicas === 1);
  backedUp = await takePictureOf(plane);
  await plane.backUp();
});

afterAll(async () => plane?.remove());

async function lookAfter(...[kind, name, trigger, givesUp]: Workload): Promise<FakeOperator> {
  const fake = await FakeOperator.lookAfter(plane, kind, name, trigger, givesUp);
  onTestFinished(() => fake.stop());
  return fake;
}

test("an operator that scales an application up until it is stopped itself does not keep a restore from completing", async () => {
  await release(plane, 2);
  let isStopped = false;
  const fake = await lookAfter(deployments, "portal", "scaled", (interventions) => interventions >= 3 && isStopped);
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await plane.until(deployments, "operator", ({ spec }) => spec.replicas === 0);
  isStopped = true;
  await plane.service.waitForJob(restoreCrn, { timeout: 60_000 });
  expect(fake.interventions).toBeGreaterThanOrEqual(3);
  await settled(plane);
  expect(await differencesSince(backedUp, plane)).toEqual([]);
});

test("an application that somebody keeps scaling up fails the restore, which says who, and nothing is deleted", async () => {
  await release(plane, 3);
  const before = await takePictureOf(plane);
  const { uid } = (await plane.get("v1/configmaps", "settings")).metadata;
  await lookAfter(deployments, "portal", "scaled");
  const restore = await plane.restore({ state: "FAILED" });
  const who = `Deployment ${namespace}/portal (spec.replicas is set by ${operatorName})`;
  expect(restore.errors).toEqual([
    expect.stringContaining(
      `workloads that were stopped have been started again for 6 s: ${who}; pause whatever does that`,
    ),
    "the restore failed and was rolled back: the control plane is as before",
  ]);
  expect(await differencesSince(before, plane)).toEqual([]);
  expect((await plane.get("v1/configmaps", "settings")).metadata["uid"]).toBe(uid);
});

test("a stateful set that is deleted and recreated while it is stopped gets no pod on volumes that are replaced", async () => {
  await release(plane, 2);
  const fake = await lookAfter(statefulSets, "database", "deleted");
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await plane.until(statefulSets, "database", ({ spec }) => spec.replicas === 0);
  await plane.kubectl("delete", "statefulset/database", "--wait=false");
  await plane.service.waitForJob(restoreCrn, { timeout: 60_000 });
  expect(fake.interventions).toBe(1);
  await settled(plane);
  expect(await differencesSince(backedUp, plane)).toEqual([]);
});

const operator = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: operator }
spec:
  replicas: 1
  selector: { matchLabels: { app: operator } }
  template: { metadata: { labels: { app: operator } }, spec: { containers: [{ name: main, image: main }] } }
`;
