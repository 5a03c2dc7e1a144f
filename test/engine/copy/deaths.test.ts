import { expect, test } from "vitest";
import { uuidOf } from "../../../engine/crn.ts";
import type { Request } from "../../../simulator/http/api-server.ts";
import type { Scene } from "../simulated-control-plane.ts";
import { copies, copyingScene, copyOf, ends, leftovers } from "./copying-scene.ts";
import { SimulatedRestic } from "./simulated-restic.ts";

const isWrite = ({ method, path, body }: Request) =>
  method !== "GET" && !body.includes('"dryRun"') && !/reviews$|\/leases/.test(path);

/**
 * Ends the service when the n-th write since then is done, of which it has not heard, and starts it again. False when there are fewer
 * writes until something is over.
 */
async function dies(
  scene: Scene,
  n: number,
  isBegun: () => boolean,
  isOver: () => boolean,
  start = () => Promise.resolve(),
): Promise<boolean> {
  let writes = 0;
  let isDead = false;
  scene.simulator.intercept((request) => {
    if (isDead) return { status: 503, body: { kind: "Status", message: "nobody is there" } };
    isDead = isWrite(request) && isBegun() && ++writes === n;
    return isDead ? "done and broken off" : undefined;
  });
  await start();
  await scene.until(() => isDead || isOver());
  if (isDead) await scene.restart({ meanwhile: () => scene.simulator.intercept(undefined) });
  scene.simulator.intercept(undefined);
  return isDead;
}

test("a copy is done after a death at any of its writes: nothing is copied twice, and nothing of it stays", async () => {
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic);
  const handles = scene.simulator.volumes.volumeHandles();
  let n = 0;
  for (let isDead = true; isDead;) {
    n += 1;
    const crn = await scene.startBackup("vault-system");
    const isBegun = () => copyOf(scene, crn) !== "";
    const isOver = () => isBegun() && scene.engine.getLogs(copyOf(scene, crn)).includes("job ended");
    isDead = await dies(scene, n, isBegun, isOver);
    await ends(scene, copyOf(scene, crn));
    const made = restic.snapshots.filter(({ tags }) => tags.includes(`drs-backup:${uuidOf(crn)}`));
    const { state, warnings } = scene.engine.describeBackup(crn);
    const found = { n, state, warnings, copies: made.length, left: await leftovers(scene) };
    expect(found).toEqual({ n, state: "COMPLETED", warnings: [], copies: 1, left: [] });
    expect({ n, handles: scene.simulator.volumes.volumeHandles() }).toEqual({ n, handles });
  }
  expect(n).toBeGreaterThan(10);
}, 180_000);

test("a deletion forgets its backup's copies after a death at any of its writes, and nothing of it stays", async () => {
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic);
  let n = 0;
  for (let isDead = true; isDead;) {
    n += 1;
    const { crn } = await scene.backup("vault-system");
    await ends(scene, copyOf(scene, crn));
    const deletion = await scene.startDeletion(crn);
    const isOver = () => scene.engine.getLogs(deletion).includes("job ended");
    isDead = await dies(scene, n, () => true, isOver);
    await scene.until(isOver);
    const found = { n, copies: restic.snapshots.length, left: await leftovers(scene) };
    expect(found).toEqual({ n, copies: 0, left: [] });
    expect(scene.engine.getLogs(deletion)).toContain("job ended COMPLETED");
  }
  expect(n).toBeGreaterThan(5);
}, 180_000);

test("a repository is checked and pruned after a death at any write of that, and nothing of it stays", async () => {
  const restic = new SimulatedRestic();
  const upkeep = { everyMs: 100, parts: 3 };
  const scene = await copyingScene(restic);
  const { crn } = await scene.backup("vault-system");
  await ends(scene, copyOf(scene, crn));
  const upkeeps = () => scene.engine.countJobs().filter(({ kind }) => kind === "upkeep");
  const ended = () =>
    upkeeps()
      .find(({ state }) => state === "COMPLETED")
      ?.lastUpdated.getTime() ?? 0;
  const start = () => scene.restart({ copies: { ...copies, upkeep } });
  await start();
  await scene.until(() => ended() > 0); // the time of the first one counts from here
  let n = 0;
  for (let isDead = true; isDead;) {
    n += 1;
    const before = ended();
    const isOver = () => ended() > before;
    isDead = await dies(scene, n, () => true, isOver, start);
    await scene.until(isOver);
    await scene.restart({ copies });
    await scene.until(() => upkeeps().every(({ state }) => state !== "NOT_STARTED" && state !== "IN_PROGRESS"));
    const failed = upkeeps().filter(({ state }) => state !== "COMPLETED");
    expect({ n, failed, left: await leftovers(scene) }).toEqual({ n, failed: [], left: [] });
  }
  expect(n).toBeGreaterThan(6);
  expect(restic.upkeeps.filter((what) => what === "prune").length).toBeGreaterThan(n);
}, 180_000);
