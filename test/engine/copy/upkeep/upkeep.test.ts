import { expect, test } from "vitest";
import { uuidOf } from "../../../../engine/crn.ts";
import type { UpkeepConfig } from "../../../../engine/config.ts";
import { openStore } from "../../../../engine/store/store.ts";
import type { ProgramState } from "../../../../simulator/programs.ts";
import { type Scene, texts } from "../../simulated-control-plane.ts";
import { copies, copyingScene, copyOf, ends, goOn, leftovers } from "../copying-scene.ts";
import { SimulatedRestic } from "../simulated-restic.ts";

const running: ProgramState = { log: [] };
const often: UpkeepConfig = { everyMs: 100, parts: 3 };

/** What an upkeep does that reads this part. */
const part = (number: number) => [`check --read-data-subset=${number}/3`, "prune"];

/** A control plane with a backup that is copied, whose repository is looked after again and again. */
async function lookedAfter(restic: SimulatedRestic) {
  const scene = await copyingScene(restic, { copies: { ...copies, upkeep: often } });
  const backup = await scene.backup();
  await ends(scene, copyOf(scene, backup.crn));
  return { scene, backup };
}

/** What the logs of upkeeps have said of checks; the service starts again. */
async function logOfChecks(scene: Scene): Promise<string> {
  let log = "";
  const read = () => {
    const { database } = openStore(scene.databasePath);
    const lines = database.prepare<object, { line: string }>(
      "SELECT code || ' ' || text AS line FROM log_line WHERE phase = 'CHECKING_COPIES'",
    );
    log = lines
      .all({})
      .map(({ line }) => line)
      .join("\n");
    database.close();
  };
  await scene.restart({ meanwhile: read });
  return log;
}

test("a repository is checked again and again, each time another part of its data, and pruned; nothing of that stays", async () => {
  const restic = new SimulatedRestic();
  const { scene } = await lookedAfter(restic);
  await scene.until(() => restic.upkeeps.length >= 8);
  expect(restic.upkeeps.slice(0, 8)).toEqual([...part(1), ...part(2), ...part(3), ...part(1)]);
  expect(scene.engine.repositoryState()).toEqual({ checkedAt: expect.any(Date), isDamaged: false });
  await scene.restart({ copies });
  await scene.until(async () => (await leftovers(scene)).length === 0);
});

test("a repository is not looked after while volumes are copied", async () => {
  const restic = new SimulatedRestic();
  const database = "/volumes/cdp/data-cdp-embedded-db-0";
  const { scene } = await lookedAfter(restic);
  restic.instead.set(database, running);
  const backup = await scene.backup();
  const crn = copyOf(scene, backup.crn);
  await scene.until(() => restic.snapshots.length === 5);
  const before = restic.upkeeps.length;
  await scene.restart();
  await scene.backup(); // its copy waits
  expect(restic.upkeeps.length).toBe(before);
  restic.instead.delete(database);
  await goOn(scene);
  await ends(scene, crn);
  await scene.until(() => restic.upkeeps.length > before);
});

test("a damaged repository is a warning of the backups whose copies are, until the same data is whole, and is not pruned", async () => {
  const restic = new SimulatedRestic();
  const { scene, backup } = await lookedAfter(restic);
  const other = await scene.backup("vault-system");
  await scene.until(() => restic.upkeeps.length >= 2);
  restic.check = {
    exitCode: 1,
    log: [
      '{"message_type":"summary","num_errors":1,"broken_packs":["0be7"]}',
      `{"message_type":"damaged","backup":"${uuidOf(backup.crn)}","claim":"cdp/cdp-artifacts"}`,
      '{"message_type":"error","message":"pack 0be7: does not exist\\n"}',
      '{"message_type":"exit_error","code":1,"message":"Fatal: repository contains errors"}',
    ],
  };
  await scene.until(() => scene.engine.repositoryState().isDamaged);
  const first = restic.upkeeps.length;
  await scene.until(() => restic.upkeeps.length >= first + 2);
  expect(new Set(restic.upkeeps.slice(first - 1)).size).toBe(1);
  const { state, warnings } = scene.engine.describeBackup(backup.crn);
  expect(state).toBe("COMPLETED");
  expect(texts(warnings)).toEqual([
    "cdp: the copy of claim cdp-artifacts is damaged in the repository: pack 0be7: does not exist",
  ]);
  expect(scene.engine.describeBackup(other.crn).warnings).toEqual([]);
  expect(await logOfChecks(scene)).toContain(
    `DRS-V016 the repository ${copies.repository} is damaged, and is not pruned: pack 0be7: does not exist; damaged are the copies of claim cdp/cdp-artifacts of the backup ${uuidOf(backup.crn)}`,
  );
  restic.check = undefined;
  await scene.until(() => !scene.engine.repositoryState().isDamaged);
  expect(scene.engine.describeBackup(backup.crn).warnings).toEqual([]);
  await scene.until(() => restic.upkeeps.at(-1) === "prune");
});

test("a repository that cannot be checked is said, and tried again", async () => {
  const restic = new SimulatedRestic();
  const { scene } = await lookedAfter(restic);
  const locked = '{"message_type":"exit_error","code":11,"message":"Fatal: unable to create lock"}';
  restic.check = { exitCode: 11, log: [locked] };
  const failed = () => scene.engine.countJobs().some(({ kind, state }) => kind === "upkeep" && state === "FAILED");
  await scene.until(failed);
  expect(await logOfChecks(scene)).toMatch(/DRS-V015 the repository .* was not checked: the repository is locked/);
  restic.check = undefined;
  const before = scene.engine.repositoryState().checkedAt?.getTime() ?? 0;
  await scene.until(() => (scene.engine.repositoryState().checkedAt?.getTime() ?? 0) > before);
});

test("a restore that needs copies does not wait for upkeep, which begins again after it", async () => {
  const restic = new SimulatedRestic();
  restic.check = running;
  const { scene, backup } = await lookedAfter(restic);
  const jobs = "/apis/batch/v1/namespaces/drs/jobs";
  await scene.until(async () => (await scene.names(jobs)).length === 1);
  const [upkeep = ""] = await scene.names(jobs);
  scene.simulator.volumes.loseSnapshots();
  for (const { id } of restic.snapshots) restic.instead.set(id, running);
  const crn = await scene.startRestore(backup.crn);
  await scene.until(async () => (await scene.names(jobs)).length >= 2);
  expect(await scene.names(jobs)).not.toContain(upkeep);
  restic.instead.clear();
  await goOn(scene);
  const restore = await scene.restored(crn);
  expect([restore.state, restore.errors]).toEqual(["COMPLETED", []]);
  restic.check = undefined;
  await scene.until(() => restic.upkeeps.includes("prune"));
});
