import { expect, test } from "vitest";
import { differences } from "../../../demo/differences.ts";
import { wreck } from "../../../demo/wreck.ts";
import { phasesIn, Scene, texts } from "../simulated-control-plane.ts";

const restorePhases = [
  "PRE_VALIDATION",
  "STOPPING_APPS",
  "DELETING_OBJECTS",
  "DELETING_OBJECTS_PVC",
  "RESTORING_PVC",
  "RESTORING_OBJECTS",
  "STARTING_APPS",
];

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
  expect(texts(restore.warnings)).toEqual([
    expect.stringContaining("Environment sandbox was held by platform.cdp.example/release-network"),
  ]);
  expect(restore).toMatchObject({ state: "PARTIALLY_FAILED", phase: "FINISHED" });
  expect(phasesIn(scene.engine.getLogs(restore.crn))).toEqual(restorePhases);
  expect(differences(before, await scene.picture())).toEqual([]);
  expect(scene.simulator.volumes.volumeHandles()).toHaveLength(3);
  expect(volumes).toBe(2);
  expect(scene.archives("safety")).toEqual([]);
  expect(await scene.names("/apis/snapshot.storage.k8s.io/v1/volumesnapshots")).toEqual([]);
  expect(await scene.names("/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents")).toEqual([]);
  expect(scene.simulator.volumes.snapshotHandles()).toHaveLength(3);
});
