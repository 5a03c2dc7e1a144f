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

test("pods that do not stop fail the restore, which names them and rolls back", async () => {
  const scene = await Scene.open({ limits: { podsStopTimeout: 300 } });
  const pods = "/api/v1/namespaces/cdp/pods";
  await scene.create(pods, {
    metadata: { name: "stuck", finalizers: ["example.com/never"] },
    spec: { containers: [{ name: "main" }] },
  });
  await scene.simulator.settled();
  const backup = await scene.backup();
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("rolling back"));
  await scene.change(`${pods}/stuck`, { metadata: { finalizers: null } });
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([
    expect.stringContaining("pods of cdp have not stopped within 0.3 s: stuck"),
    "the restore failed and was rolled back: the control plane is as before",
  ]);
  expect(await scene.names("/apis/apps/v1/namespaces/cdp/deployments")).toHaveLength(6);
});

test("custom resources are stored in their storage version where their own webhook cannot refuse it any more", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/environments.platform.cdp.example";
  const definition = await scene.get(path);
  const conversion = { strategy: "Webhook", webhook: { clientConfig: { service: { namespace: "cdp" } } } };
  const converted = {
    ...definition,
    spec: { ...(definition["spec"] as object), conversion },
    status: { ...(definition["status"] as object), storedVersions: ["v1beta1", "v1"] },
  };
  const denial = 'admission webhook "environments.platform.cdp.example" denied the request: not now';
  let crn = "";
  let count = 0;
  scene.simulator.intercept((asked) => {
    const log = scene.engine.getLogs(crn);
    if (!log.includes("STOPPING_APPS phase started") || log.includes("stopped ")) return undefined;
    if (asked.method === "GET" && asked.path === path) return { status: 200, body: converted };
    if (asked.method !== "PATCH" || !asked.path.includes("/environments/")) return undefined;
    count++;
    if (log.includes("out of validatingwebhookconfigurations")) return undefined;
    return { status: 400, body: { kind: "Status", code: 400, message: denial } };
  });
  crn = await scene.startRestore(backup.crn);
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(count).toBeGreaterThan(0);
});
