import { expect, test } from "vitest";
import type { RestorePlan } from "../../../engine/model.ts";
import { texts } from "../simulated-control-plane.ts";
import { copyingScene, copyOf, ends, leftovers } from "./copying-scene.ts";
import { SimulatedRestic } from "./simulated-restic.ts";

const scratch: Partial<RestorePlan> = { mode: "scratch", mapping: { cdp: "drill", "vault-system": "drill-vault" } };
const caller = { name: "", requestId: "" };

/** A control plane with a backup that is copied, and no snapshot any more. */
async function lost() {
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic);
  const { volumes } = scene.simulator;
  const file = volumes.read("cdp", "cdp-artifacts", "charts/index.yaml");
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  volumes.write("cdp", "cdp-artifacts", "charts/index.yaml", "newer");
  volumes.loseSnapshots();
  return { restic, scene, file, backup, handles: volumes.volumeHandles() };
}

test("a scratch restore gets its volumes from copies, leaves production's alone, and goes again without a trace", async () => {
  const { scene, file, backup, handles } = await lost();
  const { volumes } = scene.simulator;
  const restore = await scene.restore(backup.crn, scratch);
  expect([restore.state, texts(restore.errors), texts(restore.warnings)]).toEqual(["COMPLETED", [], []]);
  expect(volumes.read("drill", "cdp-artifacts", "charts/index.yaml")).toEqual(file);
  expect(volumes.read("cdp", "cdp-artifacts", "charts/index.yaml").toString()).toBe("newer");
  expect(await leftovers(scene)).toEqual([]);
  const removal = await scene.restored(await scene.engine.removeScratch({ restoreCrn: restore.crn, caller }));
  expect([removal.state, texts(removal.errors)]).toEqual(["COMPLETED", []]);
  expect(volumes.volumeHandles()).toEqual(handles);
});

test("a scratch restore whose copy is damaged fails before it has made anything", async () => {
  const { restic, scene, backup, handles } = await lost();
  for (const { id } of restic.snapshots) restic.damaged.set(id, "packs of its data are missing in the repository");
  const restore = await scene.restore(backup.crn, scratch);
  expect(texts(restore.errors).join()).toMatch(/cannot be filled from their copies.*drill\/cdp-artifacts: packs/);
  expect(scene.engine.getLogs(restore.crn)).toContain("nothing was created");
  expect(await leftovers(scene)).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toEqual(handles);
});

test("a scratch restore that a mover fails takes its namespaces and volumes away again", async () => {
  const { restic, scene, backup, handles } = await lost();
  const [{ id } = { id: "" }] = restic.snapshots;
  restic.instead.set(id, { exitCode: 1, log: ['{"message_type":"exit_error","message":"Fatal: damaged"}'] });
  const restore = await scene.restore(backup.crn, scratch);
  expect(texts(restore.errors).join()).toMatch(/cannot be filled from their copies.*damaged/);
  expect(await scene.names("/api/v1/namespaces")).not.toContain("drill");
  expect(await leftovers(scene)).toEqual([]);
  await scene.until(() => scene.simulator.volumes.volumeHandles().length === handles.length);
});

test("a scratch restore goes on after a death while its volumes are filled from copies", async () => {
  const { restic, scene, file, backup } = await lost();
  const [{ id } = { id: "" }] = restic.snapshots;
  restic.instead.set(id, { log: [] });
  const crn = await scene.startRestore(backup.crn, scratch);
  const filled = async () => (await scene.names("/api/v1/namespaces/drs/persistentvolumeclaims")).length === 3;
  await scene.until(
    async () => (await filled()) && (await scene.names("/apis/batch/v1/namespaces/drs/jobs")).length === 1,
  );
  await scene.restart({ meanwhile: () => restic.instead.clear() });
  for (const name of await scene.names("/api/v1/namespaces/drs/pods"))
    await scene.change(`/api/v1/namespaces/drs/pods/${name}`, { metadata: { labels: { looked: "at" } } });
  const restore = await scene.restored(crn);
  expect([restore.state, texts(restore.errors)]).toEqual(["COMPLETED", []]);
  expect(scene.simulator.volumes.read("drill", "cdp-artifacts", "charts/index.yaml")).toEqual(file);
  expect(await leftovers(scene)).toEqual([]);
});
