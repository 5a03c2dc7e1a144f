import { expect, test } from "vitest";
import { differences } from "../../../demo/differences.ts";
import { wreck } from "../../../demo/wreck.ts";
import { restorePhases } from "../../../engine/model.ts";
import { phasesIn, Scene, texts } from "../simulated-control-plane.ts";

test("a wrecked control plane is brought back, object by object and byte by byte, through every phase", async () => {
  const scene = await Scene.open();
  const before = await scene.picture();
  const backup = await scene.backup();
  expect(backup).toMatchObject({ state: "COMPLETED", phase: "FINISHED", warnings: [], errors: [] });
  await wreck(scene.client, scene.simulator.volumes, () => {});
  await scene.simulator.settled();
  const volumes = scene.simulator.volumes.volumeHandles().length;
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings)).toEqual([]);
  expect(restore).toMatchObject({ state: "COMPLETED", phase: "FINISHED" });
  expect(phasesIn(scene.engine.getLogs(restore.crn))).toEqual(restorePhases);
  expect(differences(before, await scene.picture())).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toHaveLength(3);
  expect(volumes).toBe(2);
  expect(scene.archives("safety")).toEqual([]);
  expect(await scene.names("/apis/snapshot.storage.k8s.io/v1/volumesnapshots")).toEqual([]);
  expect(await scene.names("/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents")).toEqual([]);
  expect(scene.simulator.volumes.snapshotHandles()).toHaveLength(3);
});

test("a role binding that gives the service its rights is neither saved nor deleted", async () => {
  const scene = await Scene.open();
  const bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/cdp/rolebindings";
  const roleRef = {
    apiGroup: "rbac.authorization.k8s.io",
    kind: "ClusterRole",
    name: "data-recovery-service-namespace",
  };
  const labels = { "drs.cloudera.com/own-rights": "" };
  const { metadata } = await scene.create(bindings, { metadata: { name: "service", labels }, roleRef });
  const { crn } = await scene.backup();
  await scene.restore(crn);
  expect((await scene.get(`${bindings}/service`)).metadata["uid"]).toBe(metadata["uid"]);

  await scene.remove(`${bindings}/service`);
  await scene.restore(crn);
  expect(await scene.names(bindings)).not.toContain("service");
});

test("a restore on an etcd that is too slow for each tenth write brings all back, and each phase runs once", async () => {
  const scene = await Scene.open();
  const before = await scene.picture();
  const { crn: backupCrn } = await scene.backup();
  await scene.lose(
    "/api/v1/namespaces/cdp/configmaps",
    "/api/v1/namespaces/cdp/services",
    "/api/v1/namespaces/cdp/secrets",
    "/apis/apps/v1/namespaces/cdp/deployments",
  );
  let writes = 0;
  const late = { kind: "Status", code: 500, reason: "InternalError", message: "etcdserver: request timed out" };
  scene.simulator.intercept(({ method, query }) =>
    method !== "GET" && !query.has("dryRun") && ++writes % 10 === 0 ? { status: 500, body: late } : undefined,
  );
  const { crn, errors } = await scene.restore(backupCrn);
  expect(writes).toBeGreaterThan(80);
  expect(texts(errors)).toEqual([]);
  expect(scene.engine.getLogs(crn)).not.toContain("attempt 1 of");
  expect(differences(before, await scene.picture())).toEqual([]);
});
