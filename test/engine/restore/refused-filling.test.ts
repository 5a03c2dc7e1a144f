import { expect, test } from "vitest";
import { differences } from "../../../demo/differences.ts";
import type { Picture } from "../../../demo/picture.ts";
import type { Intercepted, Request } from "../../../simulator/http/api-server.ts";
import { Scene, texts } from "../simulated-control-plane.ts";
import { refusingAnswers } from "../refusing-answers.ts";

/*
 * Each write that fills a volume and hands it over, refused in each way that an API server refuses, once and always: the restore
 * ends as saved, or FAILED with all as it was, and what it leaves it names.
 */

const place = "drs";
const fillers = `/api/v1/namespaces/${place}/persistentvolumeclaims`;
const claims = "/api/v1/namespaces/vault-system/persistentvolumeclaims";
const volumes = "/api/v1/persistentvolumes";
const snapshots = `/apis/snapshot.storage.k8s.io/v1/namespaces/${place}/volumesnapshots`;
const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";

/** For volumes the patch shows which write it is. */
const patches = (pattern: RegExp) => (request: Request) =>
  request.method === "PATCH" && request.path.startsWith(`${volumes}/`) && pattern.test(request.body);
const is = (method: string, path: string) => (request: Request) =>
  request.method === method && (request.path === path || request.path.startsWith(`${path}/`));

const writes: Readonly<Record<string, (request: Request) => boolean>> = {
  "make the content": is("POST", contents),
  "make the snapshot": is("POST", snapshots),
  "make the filler": is("POST", fillers),
  "retain the volume": patches(/filled-by":"/),
  "delete the snapshot": is("DELETE", snapshots),
  "delete the content": is("DELETE", contents),
  "delete the filler": is("DELETE", fillers),
  "reserve the volume": patches(/"claimRef":\{[^}]*"uid":null/),
  "make the claim": is("POST", claims),
  "release the volume": patches(/filled-by":null.*"persistentVolumeReclaimPolicy":"\w+"\}/),
};

/** A claim on a volume that was not provisioned for it has no notes of the provisioner. */
const left = (before: Picture, after: Picture) =>
  differences(before, after).filter((line) => !/^PersistentVolumeClaim \S+: metadata.annotations differs$/.test(line));

/** Whether a difference is of what is named, or the mark that a named volume has kept. */
function isToldBy(line: string, named: readonly string[]): boolean {
  const isMark = /^PersistentVolume of \S+: metadata.labels differs$/.test(line);
  return named.some((name) => line.includes(name) || (isMark && name.startsWith("pvc-")));
}

type Volume = { metadata: { name: string; labels?: object }; spec: { persistentVolumeReclaimPolicy: string } };
const volumesOf = async (scene: Scene) => ((await scene.get(volumes)) as unknown as { items: readonly Volume[] }).items;

/** The names of what a restore may leave nothing of. */
async function traces(scene: Scene): Promise<readonly string[]> {
  await scene.simulator.settled();
  const marked = (await volumesOf(scene)).filter(
    ({ metadata, spec }) =>
      Object.keys(metadata.labels ?? {}).length > 0 || spec.persistentVolumeReclaimPolicy !== "Delete",
  );
  return [
    ...(await scene.names(fillers)),
    ...(await scene.names(snapshots)),
    ...(await scene.names(contents)),
    ...marked.map(({ metadata }) => metadata.name),
  ];
}

/** What passes by its nature: one of these stands for all of them when it does not. */
const passing = /409|429|500|broken off/;
/** Of each kind one, where not all are asked for. */
const few = /policy|409|done and broken off/;
const all = process.env["CRASH_TESTS"] === "all";

type Often = "once" | "always";

/** Restores one control plane again and again, each time refused otherwise. */
class Refused {
  readonly #scene: Scene;
  readonly #saved: Picture;
  readonly #backupCrn: string;
  readonly #claim: string;

  private constructor(scene: Scene, saved: Picture, backupCrn: string, claim: string) {
    this.#scene = scene;
    this.#saved = saved;
    this.#backupCrn = backupCrn;
    this.#claim = claim;
  }

  static async open(): Promise<Refused> {
    const scene = await Scene.open({ fillNamespace: place, maxAttempts: 2, limits: { podsStopTimeout: 2_000 } });
    await scene.create("/api/v1/namespaces", { metadata: { name: place } });
    const saved = await scene.picture();
    const [claim = ""] = await scene.names(claims);
    return new Refused(scene, saved, (await scene.backup("vault-system")).crn, claim);
  }

  /** What is amiss after a restore in which the writes are answered so, with what it has said. */
  async faults(isIt: (request: Request) => boolean, answer: Intercepted, often: Often): Promise<readonly string[]> {
    const { simulator, engine } = this.#scene;
    simulator.volumes.write("vault-system", this.#claim, "since", `${often} ${JSON.stringify(answer)}`);
    const before = await this.#scene.picture();
    let asked = 0;
    let crn = "";
    // A clean-up waits without end for what may pass, and says so: all else is tried twice at most.
    const isWaiting = () => crn !== "" && /attempt 2: .* again in/.test(engine.getLogs(crn));
    simulator.intercept((request) => {
      const isTrial = request.query.has("dryRun") || /"dryRun"/.test(request.body);
      if (!isIt(request) || (isTrial && often === "once")) return undefined;
      return asked++ === 0 || (often === "always" && !isWaiting()) ? answer : undefined;
    });
    crn = await this.#scene.startRestore(this.#backupCrn);
    // A request that fails is repeated for seconds, and each step is tried several times.
    await this.#scene.until(() => engine.describeRestore(crn).phase === "FINISHED", 200_000);
    const { state, errors, warnings } = await this.#scene.restored(crn);
    simulator.intercept(undefined);
    const said = texts([...errors, ...warnings]).join("\n");
    const wanted = state === "FAILED" && !/^everything was restored/m.test(said) ? before : this.#saved;
    const traced = await traces(this.#scene);
    const named = traced.filter((name) => said.includes(name));
    const unnamed = traced.filter((name) => !said.includes(name));
    const found = [
      ...(asked === 0 ? ["it is never asked for"] : []),
      ...(state === "COMPLETED" ? [] : said === "" ? ["nothing is said"] : []),
      ...left(wanted, await this.#scene.picture()).filter((line) => !isToldBy(line, named)),
      ...unnamed.map((name) => `${name} is left, and not named`),
    ];
    if (traced.length > 0) await this.#tidy();
    return found.length === 0 ? [] : [`${state}: ${said}`, ...found];
  }

  /** Removes what is left, as a person would. */
  async #tidy(): Promise<void> {
    const scene = this.#scene;
    for (const path of [fillers, snapshots, contents])
      for (const name of await scene.names(path)) await scene.remove(`${path}/${name}`);
    for (const { metadata } of await volumesOf(scene)) {
      const path = `${volumes}/${metadata.name}`;
      await scene
        .change(path, { metadata: { labels: null }, spec: { persistentVolumeReclaimPolicy: "Delete" } })
        .catch(() => {}); // some are gone by now
    }
    await scene.simulator.settled();
  }
}

/** What is amiss when a write is refused in each of the ways. */
async function faultsOf(write: string, isIt: (request: Request) => boolean): Promise<readonly object[]> {
  const [various, failing] = [await Refused.open(), await Refused.open()];
  const through = async (scene: Refused, cells: readonly (readonly [string, Intercepted, Often])[]) => {
    const faulty: object[] = [];
    for (const [name, answer, often] of cells) {
      const faults = await scene.faults(isIt, answer, often);
      if (faults.length > 0) faulty.push({ write, name, often, faults });
    }
    return faulty;
  };
  const cells = Object.entries(refusingAnswers).filter(([name]) => all || few.test(name));
  const faulty = await Promise.all([
    through(various, [
      ...cells.map(([name, answer]) => [name, answer, "once"] as const),
      ...cells.filter(([name]) => !passing.test(name)).map(([name, answer]) => [name, answer, "always"] as const),
    ]),
    through(failing, [["500", refusingAnswers["500"]!, "always"]]),
  ]);
  return faulty.flat();
}

// Five writes side by side: most of the time is waiting for another attempt.
test.each([
  ["begin to fill a volume", Object.entries(writes).slice(0, 5)],
  ["hand a filled volume over", Object.entries(writes).slice(5)],
])(
  "a restore that may not %s ends as saved, or with all as it was, and leaves nothing that it does not name",
  async (_name, some) => {
    const faulty = await Promise.all(some.map(([write, isIt]) => faultsOf(write, isIt)));
    expect(faulty.flat()).toEqual([]);
  },
  600_000,
);
