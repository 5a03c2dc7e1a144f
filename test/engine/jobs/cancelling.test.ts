import { expect, test } from "vitest";
import { differences } from "../../../demo/differences.ts";
import type { Engine } from "../../../engine/engine.ts";
import { Scene, texts } from "../simulated-control-plane.ts";
import { backupReaches, restoreReaches, smallEngine } from "../small-engine.ts";
import { crnOf, temporaryFolder } from "../store/temporary-store.ts";
import { gate, idle, job } from "./small-jobs.ts";

const alice = { name: "alice", requestId: "" };
const nobody = { name: "", requestId: "" };
const request = { backupName: "", itemName: "", caller: alice };
const refused = (text: string) => expect.objectContaining({ code: "FAILED_PRECONDITION", message: text }) as unknown;

/** An engine whose backups wait for the gate, but for the first one. */
async function busyEngine(): Promise<{ engine: Engine; first: string; open: () => void }> {
  const backups = gate();
  let begun = 0;
  const work = () => (begun++ === 0 ? Promise.resolve() : backups.opened);
  const definitions = {
    backup: job({ PRE_VALIDATION: work }),
    restore: idle,
    deletion: idle,
    copy: idle,
    upkeep: idle,
  };
  const engine = await smallEngine(temporaryFolder(), { definitions });
  const first = await engine.createBackup({ ...request, backupName: "first" });
  await backupReaches(engine, first, "COMPLETED");
  await backupReaches(engine, await engine.createBackup({ ...request, backupName: "running" }), "IN_PROGRESS");
  return { engine, first, open: () => backups.open() };
}

test("a job that waits and is cancelled is over at once, says by whom, and lets those behind it go on", async () => {
  const { engine, first, open } = await busyEngine();
  const backup = await engine.createBackup({ ...request, backupName: "cancelled" });
  const restore = await engine.restoreBackup({ backupCrn: first, caller: alice });
  const next = await engine.createBackup({ ...request, backupName: "next" });
  engine.cancelJob({ crn: backup, caller: { name: "bob", requestId: "" } });
  engine.cancelJob({ crn: restore, caller: nobody });
  expect(engine.describeBackup(backup)).toMatchObject({ state: "FAILED", phase: "FINISHED" });
  expect(texts(engine.describeBackup(backup).errors)).toEqual([
    "the backup was cancelled by bob before it had started",
  ]);
  expect(engine.describeRestore(restore)).toMatchObject({ state: "FAILED", phase: "FINISHED" });
  expect(texts(engine.describeRestore(restore).errors)).toEqual(["the restore was cancelled before it had started"]);
  expect(engine.getLogs(backup)).not.toContain("phase started");
  open();
  await backupReaches(engine, next, "COMPLETED");
  expect(engine.describeBackup(backup).state).toBe("FAILED");
});

test("a deletion that waits can be cancelled: its backup says so, and can be deleted again", async () => {
  const { engine, first, open } = await busyEngine();
  const deletion = await engine.deleteBackup({ backupCrn: first, caller: alice });
  engine.cancelJob({ crn: deletion, caller: alice });
  expect(engine.describeBackup(first)).toMatchObject({
    state: "TERMINATING",
    errors: [{ text: "the deletion was cancelled by alice before it had started" }],
  });
  await engine.deleteBackup({ backupCrn: first, caller: alice });
  open();
  await backupReaches(engine, first, "NOT_FOUND");
});

test("what is over, unknown or too far on cannot be cancelled", async () => {
  const { engine, first, open } = await busyEngine();
  const cancel = (crn: string) => () => engine.cancelJob({ crn, caller: alice });
  expect(cancel(first)).toThrow(refused(`backup ${first} cannot be cancelled: it is COMPLETED`));
  expect(cancel(crnOf("restore", 9))).toThrow(expect.objectContaining({ code: "NOT_FOUND" }));
  expect(cancel("nonsense")).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  open();
});

test("a job that is cancelled as its last phase ends is not completed", async () => {
  const ended: string[] = [];
  const work = job({
    PRE_VALIDATION: ({ job: { crn } }) => engine.cancelJob({ crn, caller: alice }),
    finish: () => expect.unreachable(),
    fail: ({ job: { crn }, signal }) => {
      expect(signal.aborted).toBe(false);
      expect(() => engine.cancelJob({ crn, caller: alice })).toThrow(/it has failed, and is being cleaned up/u);
      ended.push(crn);
    },
  });
  const engine = await smallEngine(temporaryFolder(), {
    definitions: { backup: work, restore: work, deletion: idle, copy: idle, upkeep: idle },
  });
  const crn = await engine.createBackup(request);
  await backupReaches(engine, crn, "FAILED");
  expect(ended).toEqual([crn]);
  expect(engine.describeBackup(crn).errors).toMatchObject([{ text: "the backup was cancelled by alice" }]);
});

/** Waits until the job is in a phase. */
const reached = (scene: Scene, crn: string, phase: string) =>
  scene.until(() => scene.engine.getLogs(crn).includes(`${phase} phase started`));

test.each([
  ["PRE_VALIDATION", false],
  ["SAVING_OBJECTS", false],
  ["CREATING_SNAPSHOTS", false],
  ["CREATING_SNAPSHOTS", true],
])("a backup that is cancelled in %s leaves nothing, also when the service then dies: %s", async (phase, dies) => {
  const scene = await Scene.open({ controllerDelay: 100 });
  const before = await scene.picture();
  const crn = await scene.startBackup();
  await reached(scene, crn, phase);
  scene.engine.cancelJob({ crn, caller: alice });
  scene.engine.cancelJob({ crn, caller: { name: "bob", requestId: "" } });
  if (dies) await scene.restart();
  await scene.until(() => scene.engine.describeBackup(crn).phase === "FINISHED");
  const { state, errors } = scene.engine.describeBackup(crn);
  expect({ state, errors: texts(errors) }).toEqual({ state: "FAILED", errors: ["the backup was cancelled by alice"] });
  expect(scene.archives("backups")).toEqual([]);
  await scene.simulator.settled();
  expect(scene.simulator.volumes.snapshotHandles()).toEqual([]);
  expect(await scene.names("/apis/snapshot.storage.k8s.io/v1/volumesnapshots")).toEqual([]);
  expect(differences(before, await scene.picture())).toEqual([]);
});

test("a restore that is cancelled before STOPPING_APPS has touched nothing", async () => {
  const scene = await Scene.open({ controllerDelay: 20 });
  const { crn: backupCrn } = await scene.backup();
  const versions = await scene.versions();
  const crn = await scene.startRestore(backupCrn);
  await scene.until(() => scene.engine.getLogs(crn).includes("the archive is whole"));
  scene.engine.cancelJob({ crn, caller: alice });
  const { state, errors, warnings } = await scene.restored(crn);
  expect({ state, errors: texts(errors), warnings }).toEqual({
    state: "FAILED",
    errors: ["the restore was cancelled by alice"],
    warnings: [],
  });
  expect(scene.engine.getLogs(crn)).toContain("nothing in the namespaces was touched");
  expect(await scene.versions()).toEqual(versions);
  expect(scene.archives("safety")).toEqual([]);
  expect(await scene.names("/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents")).toEqual([]);
});

/** A claim that is given a volume is not provisioned, and has no note of the provisioner. */
const notProvisioned = /^PersistentVolumeClaim \S+: metadata.annotations differs$/u;

test.each([
  ["STOPPING_APPS", "STOPPING_APPS stopped "],
  ["DELETING_OBJECTS_PVC", "DELETING_OBJECTS_PVC phase started"],
  ["RESTORING_PVC", "RESTORING_PVC phase started"],
  ["STARTING_APPS", "STARTING_APPS phase started"],
])("a restore that is cancelled in %s rolls back", async (_, mark) => {
  const scene = await Scene.open({ controllerDelay: 10 });
  const { crn: backupCrn } = await scene.backup();
  await scene.change("/api/v1/namespaces/cdp/configmaps/cdp-api-config", { data: { LISTEN: "changed" } });
  scene.simulator.volumes.write("cdp", "cdp-artifacts", "newer", "newer");
  const before = await scene.picture();
  const crn = await scene.startRestore(backupCrn);
  await scene.until(() => scene.engine.getLogs(crn).includes(mark));
  scene.engine.cancelJob({ crn, caller: alice });
  const { state, errors } = await scene.restored(crn);
  expect({ state, errors: texts(errors) }).toEqual({
    state: "FAILED",
    errors: [
      "the restore was cancelled by alice",
      "the restore failed and was rolled back: the control plane is as before",
    ],
  });
  expect(scene.engine.getLogs(crn)).toContain("the restore was cancelled by alice: it stops at the next safe point");
  expect(differences(before, await scene.picture()).filter((line) => !notProvisioned.test(line))).toEqual([]);
  expect(scene.archives("safety")).toEqual([]);
});

test("a restore that is cancelled, and whose service then dies, rolls back, and can be asked for again", async () => {
  const scene = await Scene.open({ controllerDelay: 20 });
  const { crn: backupCrn } = await scene.backup();
  const crn = await scene.startRestore(backupCrn);
  await reached(scene, crn, "RESTORING_PVC");
  scene.engine.cancelJob({ crn, caller: alice });
  await scene.restart();
  await restoreReaches(scene.engine, crn, "FAILED");
  expect(texts(scene.engine.describeRestore(crn).errors)).toEqual([
    "the restore was cancelled by alice",
    "the restore failed and was rolled back: the control plane is as before",
  ]);
  expect(await scene.restore(backupCrn)).toMatchObject({ state: "COMPLETED", errors: [] });
});
