import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

test("pods of an operator's own kind are stopped, too, and what they own nothing of comes back", async () => {
  const scene = await Scene.open({ limits: { podsStopTimeout: 1_500 } });
  const { apiVersion, kind, metadata } = await scene.get(
    "/apis/platform.cdp.example/v1/namespaces/cdp/environments/staging",
  );
  const owner = { apiVersion, kind, name: metadata.name, uid: metadata.uid };
  const pods = "/api/v1/namespaces/cdp/pods";
  const spec = { containers: [{ name: "main" }] };
  await scene.create(pods, { metadata: { name: "operated", ownerReferences: [{ ...owner, controller: true }] }, spec });
  await scene.create(pods, { metadata: { name: "alone", ownerReferences: [owner] }, spec });
  await scene.simulator.settled();
  const backup = await scene.backup();
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  await scene.simulator.settled();
  const names = await scene.names(pods);
  expect(names).toContain("alone");
  expect(names).not.toContain("operated");
});

test("pods that do not stop fail the restore, which names them and goes back", async () => {
  const scene = await Scene.open({ limits: { podsStopTimeout: 300 } });
  const pods = "/api/v1/namespaces/cdp/pods";
  await scene.create(pods, {
    metadata: { name: "stuck", finalizers: ["example.com/never"] },
    spec: { containers: [{ name: "main" }] },
  });
  await scene.simulator.settled();
  const backup = await scene.backup();
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("going back"));
  await scene.change(`${pods}/stuck`, { metadata: { finalizers: null } });
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([
    expect.stringContaining("pods of cdp have not stopped within 0.3 s: stuck"),
    "the restore failed: the control plane is as it was before it",
  ]);
  expect(await scene.names("/apis/apps/v1/namespaces/cdp/deployments")).toHaveLength(6);
});
