import { expect, test } from "vitest";
import { openStore } from "../../../engine/store/store.ts";
import type { Scene as AnyScene } from "../simulated-control-plane.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

/** Takes a phase's checkpoint away from all jobs. */
const without = (scene: AnyScene, phase: string) => () => {
  const store = openStore(scene.databasePath);
  store.database.prepare<object>("DELETE FROM note WHERE key = @key").run({ key: `checkpoint/${phase}` });
  store.database.close();
};

test.each([
  ["PRE_VALIDATION", "SAVING_OBJECTS"],
  ["PRE_VALIDATION", "CREATING_SNAPSHOTS"],
  ["SAVING_OBJECTS", "CREATING_SNAPSHOTS"],
] as const)("a backup without the checkpoint of %s, lost in %s, fails and names it", async (lost, phase) => {
  const scene = await Scene.open({ controllerDelay: 4 });
  const crn = await scene.startBackup();
  await scene.until(() => scene.engine.getLogs(crn).includes(`${phase} phase started`));
  await scene.restart({ meanwhile: without(scene, lost) });
  await scene.until(() => scene.engine.describeBackup(crn).phase === "FINISHED");
  const { state, errors } = scene.engine.describeBackup(crn);
  expect({ state, errors: texts(errors) }).toEqual({
    state: "FAILED",
    errors: [`the job's checkpoint ${lost} is missing: report it, and start the job again`],
  });
  expect(scene.archives("backups")).toEqual([]);
  expect(scene.simulator.volumes.snapshotHandles()).toEqual([]);
});

test("a restore that has lost what its safety archive does not hold deletes nothing, and rolls back", async () => {
  const scene = await Scene.open({ controllerDelay: 4 });
  const { crn: backupCrn } = await scene.backup();
  const stray = "/api/v1/namespaces/cdp/configmaps/stray";
  await scene.create("/api/v1/namespaces/cdp/configmaps", { metadata: { name: "stray" } });
  const { uid } = (await scene.get(stray)).metadata;
  const crn = await scene.startRestore(backupCrn);
  await scene.until(() => scene.engine.getLogs(crn).includes("STOPPING_APPS phase started"));
  await scene.restart({ meanwhile: without(scene, "PRE_VALIDATION") });
  const { state, errors } = await scene.restored(crn);
  expect({ state, errors: texts(errors) }).toEqual({
    state: "FAILED",
    errors: [
      "the job's checkpoint PRE_VALIDATION is missing: report it, and start the job again",
      "the restore failed and was rolled back: the control plane is as before",
    ],
  });
  expect((await scene.get(stray)).metadata.uid).toBe(uid);
});

test("a restore that has lost how far it had come undoes nothing, keeps all that was there, and says where it is", async () => {
  const scene = await Scene.open({ controllerDelay: 20 });
  const { crn: backupCrn } = await scene.backup();
  const crn = await scene.startRestore(backupCrn);
  await scene.until(() => scene.engine.getLogs(crn).includes("RESTORING_PVC phase started"));
  await scene.restart({ meanwhile: without(scene, "PRE_VALIDATION/stage") });
  const { state, errors } = await scene.restored(crn);
  const [lost, where] = texts(errors);
  expect({ state, lost }).toEqual({
    state: "FAILED",
    lost: "the job's checkpoint PRE_VALIDATION/stage is missing: report it, and start the job again",
  });
  expect(where).toMatch(
    /^the record of the restore's progress is missing, so nothing is undone: report it\. .* under safety\//,
  );
  expect(scene.archives("safety")).toHaveLength(1);
});
