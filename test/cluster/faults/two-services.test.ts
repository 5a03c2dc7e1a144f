import { afterAll, beforeAll, expect, test } from "vitest";
import { aControlPlane, SmallControlPlane } from "../fidelity/support.ts";
import { eventually } from "../support/eventually.ts";
import { startService } from "../support/service.ts";
import { logged, reaches, takePictureOf, touchedSince } from "./scene.ts";

const namespace = "faults-two-services";
const flags = [`--namespace=${namespace}`, `--vault-namespace=${namespace}-vault`];
const portal = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: portal }
spec:
  replicas: 1
  selector: { matchLabels: { app: portal } }
  template: { metadata: { labels: { app: portal } }, spec: { containers: [{ name: main, image: main }] } }
`;
/** Two services, each with a database and archives of its own, that know nothing of each other. */
let first: SmallControlPlane;
let second: SmallControlPlane;

beforeAll(async () => {
  first = await aControlPlane(namespace, portal);
  second = new SmallControlPlane(namespace, first.cluster, await startService({ cluster: first.cluster, flags }));
  await isUp();
  await first.backUp();
  await second.backUp();
});

afterAll(async () => {
  await second?.service.stop();
  await first?.remove();
});

async function isUp(): Promise<void> {
  await first.until("apps/v1/deployments", "portal", ({ status }) => status?.availableReplicas === 1);
}

/** Begins a restore and stops the service when it has stopped the application, as a host that sleeps does. */
async function pausedRestore(plane: SmallControlPlane): Promise<string> {
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await reaches(plane, restoreCrn, "STOPPING_APPS");
  await plane.until("apps/v1/deployments", "portal", ({ spec }) => spec.replicas === 0);
  process.kill(plane.service.pid, "SIGSTOP");
  return restoreCrn;
}

async function holder(): Promise<string> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/data-recovery-service-${namespace}`;
  return (await first.cluster.kubernetes.get(path))["spec"].holderIdentity ?? "";
}

test("the second service waits and says for whom, follows within 30 s of the first one's death, and what then starts again touches nothing", async () => {
  const crn = await pausedRestore(first);
  const paused = performance.now();
  const dying = await holder();
  const { restoreCrn } = await second.service.api("restoreBackup", { backupCrn: second.backupCrn });
  await logged(second, restoreCrn, `waiting for ${dying}, another service that is working on this control plane`);
  await first.service.kill();
  await logged(second, restoreCrn, "holds the control plane now");
  expect(performance.now() - paused).toBeLessThan(30_000);
  expect(performance.now() - paused).toBeGreaterThan(10_000);
  await second.service.waitForJob(restoreCrn);
  await isUp();

  const before = await takePictureOf(first);
  const again = await startService({ cluster: first.cluster, data: first.service.data, flags });
  const { backupCrn } = first;
  first = new SmallControlPlane(namespace, first.cluster, again);
  first.backupCrn = backupCrn;
  const { errors } = await again.waitForJob(crn, { state: "FAILED" });
  expect(JSON.stringify(errors)).toMatch(/another service has worked on the control plane while.*safety\//);
  expect(await touchedSince(before, first)).toEqual([]);
});

test("a service that was paused while it held the control plane, and goes on after another one has restored it, writes nothing more", async () => {
  const crn = await pausedRestore(first);
  const { restoreCrn } = await second.service.api("restoreBackup", { backupCrn: second.backupCrn });
  await logged(second, restoreCrn, "holds the control plane now");
  await second.service.waitForJob(restoreCrn);
  await isUp();
  await eventually("the second service holds it no more", async () => (await holder()) === "");

  const before = await takePictureOf(first);
  process.kill(first.service.pid, "SIGCONT");
  const { errors } = await first.service.waitForJob(crn, { state: "FAILED" });
  expect(JSON.stringify(errors)).toMatch(/has worked on the control plane while.*safety\//);
  expect(await touchedSince(before, first)).toEqual([]);
});
