import { expect, test } from "vitest";
import { uuidOf } from "../../../engine/crn.ts";
import { openStore } from "../../../engine/store/store.ts";
import type { Intercepted, Request } from "../../../simulator/http/api-server.ts";
import { type Scene, texts } from "../simulated-control-plane.ts";
import { copyingScene, copyOf, ends, fillNamespace, leftovers } from "./copying-scene.ts";
import { SimulatedRestic } from "./simulated-restic.ts";
import { refusingAnswers } from "../refusing-answers.ts";

/*
 * Each write of a copy, refused in each way that an API server refuses, once and always: the volume is copied, or a warning of the
 * backup says why it is not; what is left is named, and is gone when the copy was tried again.
 */

const namespaced = (path: string) => `${path}/namespaces/${fillNamespace}`;
const policies = `${namespaced("/apis/networking.k8s.io/v1")}/networkpolicies`;
const secrets = `${namespaced("/api/v1")}/secrets`;
const jobs = `${namespaced("/apis/batch/v1")}/jobs`;
const clones = `${namespaced("/api/v1")}/persistentvolumeclaims`;
const snapshots = `${namespaced("/apis/snapshot.storage.k8s.io/v1")}/volumesnapshots`;
const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";

const is = (method: string, path: string) => (request: Request) =>
  request.method === method && (request.path === path || request.path.startsWith(`${path}/`));
const makes = (script: string) => (request: Request) => is("POST", jobs)(request) && request.body.includes(script);

const writes: Readonly<Record<string, (request: Request) => boolean>> = {
  "make the policy": is("POST", policies),
  "make the Secret": is("POST", secrets),
  "open the repository": makes("restic init"),
  "make the content": is("POST", contents),
  "make the snapshot": is("POST", snapshots),
  "make the clone": is("POST", clones),
  "start the mover": makes("restic backup"),
  "delete the mover": is("DELETE", jobs),
  "let the volume go": is("PATCH", "/api/v1/persistentvolumes"),
  "delete the clone": is("DELETE", clones),
  "delete the snapshot": is("DELETE", snapshots),
  "delete the content": is("DELETE", contents),
  "delete the Secret": is("DELETE", secrets),
  "delete the policy": is("DELETE", policies),
};

/** Those asked for always: what passes by its nature, and one kind of what does not. */
const all = process.env["CRASH_TESTS"] === "all";
const few = /policy|done and broken off/;

type Often = "once" | "always";

/** An hour later, as far as copies know. */
function anHourLater({ databasePath }: Scene): void {
  const { database } = openStore(databasePath);
  database.prepare("UPDATE job SET updated_ms = 0 WHERE kind = 'copy'").run({});
  database.close();
}

/** What is amiss when a write of a copy is answered so. */
async function faultsOf(
  scene: Scene,
  restic: SimulatedRestic,
  isIt: (request: Request) => boolean,
  answer: Intercepted,
  often: Often,
): Promise<readonly string[]> {
  const { simulator } = scene;
  const handles = simulator.volumes.volumeHandles().length;
  const crn = await scene.startBackup("vault-system");
  let asked = 0;
  const isCopied = () => copyOf(scene, crn) !== "";
  simulator.intercept((request) => {
    if (!isIt(request) || !isCopied()) return undefined;
    return asked++ === 0 || often === "always" ? answer : undefined;
  });
  await scene.until(isCopied);
  await ends(scene, copyOf(scene, crn));
  simulator.intercept(undefined);
  const log = scene.engine.getLogs(copyOf(scene, crn));
  const said = texts(scene.engine.describeBackup(crn).warnings).join("\n");
  const left = await leftovers(scene);
  const isDone = log.includes("job ended COMPLETED");
  const found = [
    ...(asked === 0 ? ["it is never asked for"] : []),
    ...(isDone || said !== "" ? [] : ["nothing is said"]),
    ...(isDone && left.length > 0 ? [`it is COMPLETED, and leaves ${left.join()}`] : []),
    ...(left.length === 0 || said.includes(fillNamespace) ? [] : [`${left.join()} is left, and not named`]),
  ];
  if (!isDone) {
    await scene.restart({ meanwhile: () => anHourLater(scene) });
    await scene.until(
      () => scene.engine.countUncopiedVolumes() === 0 && scene.engine.describeBackup(crn).warnings.length === 0,
    );
    await scene.until(async () => (await leftovers(scene)).length === 0).catch(() => {});
  }
  const copies = restic.snapshots.filter(({ tags }) => tags.includes(`drs-backup:${uuidOf(crn)}`));
  const after = [
    ...(copies.length === 1 ? [] : [`there are ${copies.length} copies`]),
    ...(await leftovers(scene)).map((name) => `${name} is left in the end`),
    ...(simulator.volumes.volumeHandles().length === handles ? [] : ["a volume is left in the end"]),
  ];
  return found.length + after.length === 0 ? [] : [said, ...found, ...after];
}

async function allFaultsOf(write: string): Promise<readonly object[]> {
  const isIt = writes[write] ?? (() => false);
  const restic = new SimulatedRestic();
  const scene = await copyingScene(restic, {
    maxAttempts: 2,
    limits: { podsStopTimeout: 1_000, snapshotTimeout: 2_000 },
  });
  const faulty: object[] = [];
  const cells = Object.entries(refusingAnswers).filter(([name]) => all || few.test(name));
  const asked = [
    ...cells.map(([name, answer]) => [name, answer, "once"] as const),
    ...cells.filter(([name]) => all || /policy/.test(name)).map(([name, answer]) => [name, answer, "always"] as const),
    ...(all ? [] : [["500", refusingAnswers["500"]!, "always"] as const]),
  ];
  for (const [name, answer, often] of asked) {
    const faults = await faultsOf(scene, restic, isIt, answer, often);
    if (faults.length > 0) faulty.push({ write, name, often, faults });
  }
  return faulty;
}

// Some side by side: most of the time is waiting for another attempt.
test.each([
  ["begins", Object.keys(writes).slice(0, 7)],
  ["cleans up", Object.keys(writes).slice(7)],
])(
  "a copy that is refused a write when it %s says so, and after it was tried again all is copied and nothing left",
  async (_, some) => {
    expect((await Promise.all(some.map(allFaultsOf))).flat()).toEqual([]);
  },
  600_000,
);
