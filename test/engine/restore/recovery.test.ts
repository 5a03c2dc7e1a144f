import { expect, test } from "vitest";
import { differences } from "../../../demo/differences.ts";
import { wreck } from "../../../demo/wreck.ts";
import { restorePhases } from "../../../engine/model.ts";
import { phasesIn, Scene, texts } from "../simulated-control-plane.ts";

const marks = (phases: readonly string[]) => phases.map((phase) => `${phase} phase started`);

/** Ends the service as soon as the log holds each text, one after the other, and starts it again. */
async function restartAt(scene: Scene, crn: string, marks: readonly string[]): Promise<void> {
  for (const mark of marks) {
    await scene.until(() => scene.engine.getLogs(crn).includes(mark));
    await scene.restart();
  }
}

test("a backup whose service is restarted in each phase is complete, and can be restored so too", async () => {
  const scene = await Scene.open({ controllerDelay: 4 });
  const before = await scene.picture();
  const backupCrn = await scene.startBackup();
  await restartAt(scene, backupCrn, marks(["PRE_VALIDATION", "SAVING_OBJECTS", "CREATING_SNAPSHOTS"]));
  await scene.until(() => scene.engine.describeBackup(backupCrn).phase === "FINISHED");
  const backup = scene.engine.describeBackup(backupCrn);
  expect(texts(backup.errors)).toEqual([]);
  expect(backup.state).toBe("COMPLETED");
  expect(scene.simulator.volumes.snapshotHandles()).toHaveLength(3);
  await wreck(scene.client, scene.simulator.volumes, () => {});
  const crn = await scene.startRestore(backupCrn);
  await restartAt(scene, crn, marks(restorePhases));
  const restore = await scene.restored(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(restore.state).toBe("COMPLETED");
  expect(phasesIn(scene.engine.getLogs(crn))).toEqual(restorePhases);
  expect(scene.engine.getLogs(crn)).toContain("continued after a restart");
  expect(differences(before, await scene.picture())).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toHaveLength(3);
  expect(await scene.names("/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents")).toEqual([]);
});

test("a service with an empty database, on an empty cluster, recreates the control plane from the archive", async () => {
  const scene = await Scene.open();
  const before = await scene.picture();
  const { crn } = await scene.backup();
  await scene.remove("/api/v1/namespaces/cdp");
  await scene.remove("/api/v1/namespaces/vault-system");
  await scene.remove("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/environments.platform.cdp.example");
  await scene.until(async () => {
    await scene.client
      .request("PATCH", "/apis/platform.cdp.example/v1/namespaces/cdp/environments/sandbox", {
        metadata: { finalizers: null },
      })
      .catch(() => {});
    return !(await scene.names("/api/v1/namespaces")).includes("cdp");
  });
  await scene.remove("/apis/scheduling.k8s.io/v1/priorityclasses/cdp-critical");
  await scene.restart({ forgetful: true });
  const restore = await scene.restore(crn);
  expect(texts([...restore.errors, ...restore.warnings])).toEqual([]);
  expect(restore.state).toBe("COMPLETED");
  expect(differences(before, await scene.picture())).toEqual([]);
});
