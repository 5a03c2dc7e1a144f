import { afterAll, beforeAll, expect, test } from "vitest";
import type { ControlPlanePicture } from "../support/control-plane.ts";
import { sharedCluster } from "../support/shared-cluster.ts";
import { chanceFrom, chooseSeed } from "./chance.ts";
import { pointsOf, spread } from "./crash-points.ts";
import { CrashScene } from "./crash-scene.ts";
import { failing, restoreThatFails } from "./failing-restore.ts";

const all = process.env["CRASH_TESTS"] === "all";
/** So that no run has more than nine deaths: a rollback is abandoned after eleven in all. */
const allRuns = 20;
const chosenRuns = all ? allRuns : 1;

/** Where a death is most likely to take what should come back, or to give it back twice. */
const mostDangerous = [
  "restore FAIL: after PATCH pipelines",
  "restore FAIL: after PATCH statefulsets",
  "restore FAIL: after DELETE persistentvolumeclaims",
  "restore FAIL: after PATCH persistentvolumes",
  "restore FAIL: after POST persistentvolumeclaims",
  "restore FAIL: after DELETE statefulsets",
  "restore FAIL: after remove safety/manifest.json",
];

let scene: CrashScene;
let backupCrn: string;
let wrecked: ControlPlanePicture;
let points: readonly string[];
let plans: readonly (readonly string[])[];
const unreached: string[] = [];

beforeAll(async () => {
  scene = await CrashScene.open(await sharedCluster(), { fills: true });
  const backup = await scene.backup();
  backupCrn = backup.crn;
  await backup.service.waitForJob(backupCrn);
  wrecked = await scene.wreck();
});

afterAll(async () => scene?.close());

test("a restore whose applications do not start rolls back, also when the service dies before it does", async () => {
  const { service, crn } = await restoreThatFails(scene, backupCrn);
  points = pointsOf(service).filter((point) => point.startsWith("restore FAIL: ") && point !== failing.at);
  await service.waitForJob(crn, { state: "FAILED" });
  for (const point of mostDangerous) expect(points).toContain(point);
  plans = spread(points, allRuns);
  if (!all) plans = chanceFrom(chooseSeed("going back")).shuffled(plans);
  expect(await scene.faults([backupCrn], wrecked)).toEqual([]);
});

test("a death at the most dangerous points of a rollback continues the rollback", async () => {
  expect(await survived(mostDangerous)).toEqual(mostDangerous);
});

test.each(Array.from({ length: chosenRuns }, (_, run) => run))(
  "a death at any point of going back goes on going back (run %i)",
  async (run) => {
    const died = await survived(plans[run]!);
    expect(died).not.toEqual([]);
    unreached.push(...plans[run]!.filter((point) => !died.includes(point)));
  },
);

test.runIf(all)(
  "deaths at points of going back that were not reached after others go on going back",
  async () => {
    const again: string[] = [];
    for (const plan of spread(unreached, Math.ceil(unreached.length / 4))) {
      const died = await survived(plan);
      again.push(...plan.filter((point) => !died.includes(point)));
    }
    // Some are reached by chance alone.
    console.log(["not reached a second time:", ...again].join("\n  "));
    expect(again.length).toBeLessThan(points.length / 20);
  },
  3_600_000,
);

/** Restores, fails, and dies at the points of its rollback; returns the reached ones. Any fault is thrown. */
async function survived(planned: readonly string[]): Promise<readonly string[]> {
  const ordered = points.filter((point) => planned.includes(point));
  const deaths = ordered.map((at) => ({ at }));
  const restore = await restoreThatFails(scene, backupCrn, deaths);
  const died = restore.died.flatMap((death) => ("at" in death && death !== failing ? death.at : []));
  try {
    const { errors, warnings } = await restore.service.waitForJob(restore.crn, { state: "FAILED" });
    // Of the restore, whose pipeline has no controller: once, however often the rollback deletes it.
    expect(warnings).toMatchObject([{ text: expect.stringContaining("held by platform.example.com/cleanup") }]);
    expect(errors.map((error) => JSON.stringify(error))).toEqual([
      expect.stringContaining("did not come up within 1 s"),
      expect.stringContaining('the control plane is as before"'),
    ]);
    expect(await scene.faults([backupCrn], wrecked)).toEqual([]);
  } catch (error) {
    throw new Error(`died ${died.length} times: ${died.join("; ")}`, { cause: error });
  }
  console.log(`survived ${died.length} deaths while going back:\n  ${died.join("\n  ")}`);
  return planned.filter((point) => died.includes(point));
}
