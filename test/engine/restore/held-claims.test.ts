import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

const api = "/apis/apps/v1/namespaces/cdp/deployments/cdp-api";
const claim = "/api/v1/namespaces/cdp/persistentvolumeclaims/cdp-artifacts";
const snapshots = "/apis/snapshot.storage.k8s.io/v1/namespaces/cdp/volumesnapshots";
/** The snapshot controller's, which the simulated one knows nothing of. */
const sourceProtection = "snapshot.storage.kubernetes.io/pvc-as-source-protection";
const held = { metadata: { finalizers: ["kubernetes.io/pvc-protection", sourceProtection] } };
const neverReady = {
  apiVersion: "snapshot.storage.k8s.io/v1",
  kind: "VolumeSnapshot",
  metadata: { name: "never" },
  spec: { volumeSnapshotClassName: "none", source: { persistentVolumeClaimName: "cdp-artifacts" } },
};

test("a claim that a user's snapshot holds for ever is let go, with a warning", async () => {
  const scene = await Scene.open({ limits: { podsStopTimeout: 1_500 } });
  const backup = await scene.backup();
  await scene.create(snapshots, neverReady);
  await scene.change(claim, held);
  const restore = await scene.restore(backup.crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(texts(restore.warnings)).toContainEqual(
    `cdp: PersistentVolumeClaim cdp-artifacts was held by ${sourceProtection} for 0.15 s after its deletion: the finalizers were removed`,
  );
  expect(scene.engine.getLogs(restore.crn)).toMatch(
    /PRE_VALIDATION +VolumeSnapshot cdp\/never of claim cdp-artifacts is not ready/,
  );
  expect(await scene.names(snapshots)).toEqual(["never"]);
});

test("claims that are held in several namespaces are waited for together, and all named", async () => {
  const scene = await Scene.open({ limits: { podsStopTimeout: 1_500 } });
  const backup = await scene.backup();
  const inUse = { metadata: { finalizers: ["kubernetes.io/in-use"] } };
  const claims = [claim, "/api/v1/namespaces/vault-system/persistentvolumeclaims/data-vault-0"];
  for (const path of claims) await scene.change(path, inUse);
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("rolling back"));
  for (const path of claims) await scene.change(path, { metadata: { finalizers: null } });
  const { errors } = await scene.restored(crn);
  for (const name of ["cdp are still there 1.5 s after their deletion: cdp-artifacts", "vault-system are still there"])
    expect(texts(errors)).toContainEqual(expect.stringContaining(`claims of ${name}`));
  expect(texts(errors).at(-1)).toBe("the restore failed and was rolled back: the control plane is as before");
});

test("a claim that a user's snapshot holds for ever does not keep a restore from rolling back", async () => {
  const scene = await Scene.open({ maxRefusedObjects: 0, limits: { podsStopTimeout: 1_500 } });
  const backup = await scene.backup();
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "newer", "than the backup");
  const crn = await scene.startRestore(backup.crn);
  await scene.until(() => scene.engine.getLogs(crn).includes("RESTORING_OBJECTS phase started"));
  await scene.create(snapshots, neverReady);
  await scene.change(claim, held);
  scene.simulator.intercept(({ method, path }) =>
    method === "PATCH" && path === api && !scene.engine.getLogs(crn).includes("rolling back")
      ? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not now" } }
      : undefined,
  );
  const { errors } = await scene.restored(crn);
  expect(texts(errors).at(-1)).toBe("the restore failed and was rolled back: the control plane is as before");
  expect(scene.simulator.volumes.read("cdp", "cdp-artifacts", "newer").toString()).toBe("than the backup");
});

test("a claim that is held for no VolumeSnapshot any more is let go at once, also where others change its finalizers", async () => {
  const scene = await Scene.open();
  const backup = await scene.backup();
  await scene.change(claim, held);
  let tries = 0;
  scene.simulator.intercept(({ method, path }) =>
    method === "PATCH" && path === claim && tries++ === 0
      ? { status: 422, body: { kind: "Status", reason: "Invalid", message: "testing value /metadata/finalizers/1" } }
      : undefined,
  );
  const restore = await scene.restore(backup.crn);
  expect(texts([...restore.errors, ...restore.warnings]).filter((text) => text.includes("cdp-artifacts"))).toEqual([]);
});
