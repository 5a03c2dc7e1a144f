import { afterAll, beforeAll, expect, test } from "vitest";
import type { ControlPlanePicture } from "../support/control-plane.ts";
import { sharedCluster } from "../support/shared-cluster.ts";
import { CrashScene } from "./crash-scene.ts";
import type { Death } from "./deaths.ts";
import { failing, restoreThatFails } from "./failing-restore.ts";

const all = process.env["CRASH_TESTS"] === "all";
/** A job is found and continued ten times in one phase; the eleventh death is one too many. */
const deathsUntilAbandoned = 11;

/** The ends of the phases that change the control plane. A completed phase completes again. */
const points = [
  "restore STOPPING_APPS: end",
  "restore DELETING_OBJECTS: end",
  "restore DELETING_OBJECTS_PVC: end",
  "restore RESTORING_PVC: end",
  "restore RESTORING_OBJECTS: end",
  "restore STARTING_APPS: end",
];
const chosen = all ? points : points.slice(3, 4);

let scene: CrashScene;
let backupCrn: string;
let wrecked: ControlPlanePicture;

beforeAll(async () => {
  scene = await CrashScene.open(await sharedCluster());
  const { crn, service } = await scene.backup();
  backupCrn = crn;
  await service.waitForJob(crn);
});

afterAll(async () => scene?.close());

test.runIf(all)("a backup that kills the service each time ends FAILED and leaves nothing", async () => {
  const { crn, service, died } = await scene.backup(always("backup CREATING_SNAPSHOTS: end"));
  expect(died).toHaveLength(deathsUntilAbandoned);
  const { errors } = await service.waitForJob(crn, { state: "FAILED" });
  expect(texts(errors)).toEqual([
    expect.stringMatching(/abandoned: .* died 11 times in a row during CREATING_SNAPSHOTS/),
  ]);
  expect(await scene.faults([backupCrn])).toEqual([]);
});

test("a restore that kills the service each time before it touches anything ends FAILED and leaves all as it is", async () => {
  wrecked = await scene.wreck();
  const { crn, service, died } = await scene.restore(backupCrn, always("restore PRE_VALIDATION: end"));
  expect(died).toHaveLength(deathsUntilAbandoned);
  const { errors } = await service.waitForJob(crn, { state: "FAILED" });
  expect(texts(errors)).toEqual([expect.stringMatching(/abandoned: .* died 11 times in a row during PRE_VALIDATION/)]);
  expect(await scene.faults([backupCrn], wrecked)).toEqual([]);
});

test.each(chosen)("a restore that kills the service each time at `%s` ends FAILED and rolls back", async (point) => {
  const { crn, service, died } = await scene.restore(backupCrn, always(point));
  expect(died).toHaveLength(deathsUntilAbandoned);
  const { errors } = await service.waitForJob(crn, { state: "FAILED" });
  expect(texts(errors)).toEqual([
    expect.stringMatching(/abandoned: the service died 11 times in a row during [A-Z_]+/),
    expect.stringContaining('the control plane is as before"'),
  ]);
  expect(await scene.faults([backupCrn], wrecked)).toEqual([]);
});

test("the same backup can be restored after all that", async () => {
  const { crn, service } = await scene.restore(backupCrn);
  await service.waitForJob(crn);
  expect(await scene.faults([backupCrn])).toEqual([]);
});

test.runIf(all)("a deletion that kills the service each time fails, and can be repeated", async () => {
  const first = await scene.delete(backupCrn, always("deletion DELETING_SNAPSHOTS: end"));
  expect(first.died).toHaveLength(deathsUntilAbandoned);
  const { backup } = await first.service.api("describeBackup", { backupCrn });
  expect(backup.backupJobState).toBe("TERMINATING");

  const { service } = await scene.delete(backupCrn);
  await service.waitUntilDeleted(backupCrn);
  expect(await scene.leftovers([])).toEqual([]);
});

test.runIf(all)("a restore that kills the service each time as it rolls back says where all lies", async () => {
  const backup = await scene.backup();
  const { crn, service, died } = await restoreThatFails(scene, backup.crn, always(failing.at).slice(1));
  expect(died).toHaveLength(deathsUntilAbandoned);
  const { errors } = await service.waitForJob(crn, { state: "FAILED" });
  expect(texts(errors)).toEqual([
    expect.stringContaining("did not come up"),
    expect.stringMatching(
      /abandoned: .* during the clean-up after the failure in STARTING_APPS.*under safety\/.*pvc-\S+ of cdp\/uploads.*docs\/operations.md/,
    ),
  ]);
});

function always(at: string): readonly Death[] {
  return Array.from({ length: deathsUntilAbandoned }, () => ({ at }));
}

function texts(messages: readonly unknown[]): readonly string[] {
  return messages.map((message) => JSON.stringify(message));
}
