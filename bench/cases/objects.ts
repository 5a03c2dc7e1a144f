import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestCluster } from "../../test/cluster/support/cluster.ts";
import { apiPath } from "../../test/cluster/support/kubernetes-client.ts";
import { type Account, openAccount } from "../account.ts";
import type { BareClient } from "../bare-client.ts";
import { type BenchCase, type Result, type Round, median } from "../bench-case.ts";
import type { Bench } from "../bench.ts";
import { inFlight, seconds } from "../in-flight.ts";
import { MeasuredService } from "../service.ts";
import { type LeastSaving, leastSaving } from "./least-saving.ts";

/** The namespace that the service takes for the control plane's. */
const main = "cdp";
const kinds = [
  { apiVersion: "v1", kind: "ConfigMap", resource: "configmaps" },
  { apiVersion: "v1", kind: "Secret", resource: "secrets" },
] as const;

/** Of the objects' values, in turn. */
const valueSizes = [1_024, 20 * 1_024];

export interface BenchObject {
  readonly collection: string;
  readonly path: string;
  readonly body: string;
}

export interface Layout {
  readonly objects: number;
  readonly namespaces: readonly string[];
}

export function layout(objects: number, namespaces: number): Layout {
  const further = Array.from({ length: namespaces - 1 }, (_, index) => `bench-${String(index + 1).padStart(2, "0")}`);
  return { objects, namespaces: [main, ...further] };
}

/** Saving, deleting and creating many objects, and looking at them where nothing differs, against bare requests for the same. */
export const objects: BenchCase = {
  name: "objects",
  async run(bench) {
    const count = bench.quick ? 1_000 : 10_000;
    const results: Result[] = [];
    for (const namespaces of bench.quick ? [1] : [1, 50])
      results.push(...(await run(bench, layout(count, namespaces))));
    return results;
  },
};

async function run(bench: Bench, wanted: Layout): Promise<readonly Result[]> {
  const cluster = await bench.cluster();
  const account = await openAccount(cluster);
  const service = await MeasuredService.start(cluster, account, flagsFor(wanted));
  const client = account.client(64);
  const made = await fill(cluster, client, wanted);
  const saving: Round[] = [];
  const deleting: Round[] = [];
  const restoring: Round[] = [];
  const inPlace: Round[] = [];
  const requests: number[] = [];
  /** Seconds of the bare lists when what they give is compressed and written as well. */
  const keeping: number[] = [];
  const least: LeastSaving[] = [];
  try {
    const fastest = await calibrate(bench, account, made);
    // A restore deletes what its backup does not have: to delete all takes a backup of nothing.
    await fastest.delete(client);
    const nothing = await service.backup();
    await fastest.create(client);
    const bystander = new Bystander(cluster);
    for (let round = 1; round <= bench.rounds; round++) {
      const list = () => inFlight(collections(made), fastest.list, (path) => client.readPages(path));
      const readFirst = round % 2 === 0;
      const early = readFirst ? await seconds(list) : 0;
      const counted = await account.requests();
      const stopWatching = bystander.watch("during the backup");
      const { crn, phases } = await service.backup();
      stopWatching();
      const afterBackup = await account.requests();
      saving.push({ ours: phases["SAVING_OBJECTS"] ?? NaN, yardstick: readFirst ? early : await seconds(list) });
      requests.push((afterBackup - counted) / wanted.objects);
      const folder = await mkdtemp(join(tmpdir(), "drs-bench-"));
      keeping.push(
        await seconds(() =>
          inFlight([...collections(made).entries()], fastest.list, ([index, path]) =>
            client.keepPages(path, join(folder, String(index))),
          ),
        ),
      );
      await rm(folder, { recursive: true });
      least.push(await leastSaving(account, client, collections(made), fastest.list));
      const same = await service.restore(crn);
      inPlace.push({ ours: same["RESTORING_OBJECTS"] ?? NaN, yardstick: await seconds(list) });
      const deleted = await service.restore(nothing.crn);
      const atRestore = await account.requests();
      const restored = await service.restore(crn);
      requests.push(((await account.requests()) - atRestore) / wanted.objects);
      const yardstick = {
        deleting: await seconds(() => fastest.delete(client)),
        restoring: await seconds(() => fastest.create(client)),
      };
      deleting.push({ ours: deleted["DELETING_OBJECTS"] ?? NaN, yardstick: yardstick.deleting });
      restoring.push({ ours: restored["RESTORING_OBJECTS"] ?? NaN, yardstick: yardstick.restoring });
      bench.say(
        `  round ${round}: ${JSON.stringify({ phases, same, deleted, restored, yardstick: { list: saving.at(-1)?.yardstick, ...yardstick } })}`,
      );
      await service.deleteBackup(crn);
      await bystander.measure("without one", 5_000);
    }
    const where = `${wanted.objects} objects in ${wanted.namespaces.length} ${wanted.namespaces.length === 1 ? "namespace" : "namespaces"}`;
    const perSecond = (rounds: readonly Round[]) =>
      Math.round(wanted.objects / Math.min(...rounds.map(({ ours }) => ours)));
    const peak = `${(await service.peakMemory()).toFixed(0)} MiB`;
    return [
      {
        name: `SAVING_OBJECTS, ${where}`,
        yardstick: `bare lists, ${fastest.list} at once`,
        unit: "s",
        rounds: saving,
        ratio: { atMost: 1.3, collapse: 10 },
        figures: {
          "objects/s": perSecond(saving),
          "requests per object, whole backup": Math.max(...requests.filter((_, index) => index % 2 === 0)).toFixed(2),
          "bare lists that are also compressed, digested and written": `${median(keeping.toSorted((a, b) => a - b)).toFixed(2)} s`,
          ...leastFigures(least),
          "a bystander's GET": bystander.summary(),
        },
      },
      {
        name: `DELETING_OBJECTS, ${where}`,
        yardstick: `bare deletes, ${fastest.deleteWords}`,
        unit: "s",
        rounds: deleting,
        ratio: { atMost: 1.25, collapse: 4 },
        figures: { "objects/s": perSecond(deleting) },
      },
      {
        name: `RESTORING_OBJECTS, ${where}`,
        yardstick: `bare POSTs, ${fastest.createAtOnce} at once`,
        unit: "s",
        rounds: restoring,
        ratio: { atMost: 1.25, collapse: 4 },
        figures: {
          "objects/s": perSecond(restoring),
          "requests per object, whole restore": Math.max(...requests.filter((_, index) => index % 2 === 1)).toFixed(2),
          "peak memory": peak,
        },
      },
      {
        name: `RESTORING_OBJECTS where nothing differs, ${where}`,
        yardstick: `bare lists, ${fastest.list} at once`,
        unit: "s",
        rounds: inPlace,
        ratio: { atMost: 6, collapse: 30 },
        figures: {},
      },
    ];
  } finally {
    await service.stop();
    await client.close();
    await removeNamespaces(cluster, wanted);
  }
}

function leastFigures(least: readonly LeastSaving[]): Record<string, string> {
  const middle = (of: (one: LeastSaving) => number) => median(least.map(of).sort((a, b) => a - b)).toFixed(2);
  return {
    "CPU of the bare lists, API server and client": `${middle(({ lists }) => lists)} s`,
    "CPU of compressing, encrypting, digesting and writing alone": `${middle(({ keeping }) => keeping)} s`,
    "so on these cores the ratio is at least": middle(({ ratio }) => ratio),
  };
}

/** What makes the service take the layout's namespaces for the control plane. */
export function flagsFor({ namespaces }: Layout): readonly string[] {
  const further = namespaces.slice(1).join(",");
  return further === "" ? [] : [`--further-namespaces=${further}`];
}

/** Makes the layout's namespaces and objects, half of them config maps and half secrets. */
export async function fill(
  cluster: TestCluster,
  client: BareClient,
  { objects: count, namespaces }: Layout,
): Promise<readonly BenchObject[]> {
  for (const name of namespaces)
    await cluster.kubernetes.create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  const made = Array.from({ length: count }, (_, index) => benchObject(index, namespaces));
  await inFlight(made, 32, ({ collection, body }) => client.send("POST", collection, body));
  return made;
}

export async function removeNamespaces({ kubectl }: TestCluster, { namespaces }: Layout): Promise<void> {
  await kubectl("delete", "namespace", "--ignore-not-found", "--wait", ...namespaces);
}

function benchObject(index: number, namespaces: readonly string[]): BenchObject {
  const type = kinds[index % kinds.length] ?? kinds[0];
  const size = valueSizes[Math.floor(index / kinds.length) % valueSizes.length] ?? 0;
  const namespace = namespaces[Math.floor(index / 4) % namespaces.length] ?? main;
  const name = `object-${String(index).padStart(6, "0")}`;
  const collection = apiPath(type, namespace);
  const { apiVersion, kind } = type;
  const body = JSON.stringify({ apiVersion, kind, metadata: { name, namespace }, data: { value: valueOfSize(size) } });
  return { collection, path: apiPath(type, namespace, name), body };
}

/** Random base64 of so many characters. */
export function valueOfSize(size: number): string {
  return randomBytes((size * 3) / 4).toString("base64");
}

export function collections(made: readonly BenchObject[]): readonly string[] {
  return [...new Set(made.map(({ collection }) => collection))];
}

interface Fastest {
  readonly list: number;
  readonly createAtOnce: number;
  readonly deleteWords: string;
  create(client: BareClient): Promise<void>;
  delete(client: BareClient): Promise<void>;
}

/** Finds out how many requests at once are fastest on this API server, with a tenth of the objects, at least 500. */
async function calibrate(bench: Bench, account: Account, made: readonly BenchObject[]): Promise<Fastest> {
  const client = account.client(64);
  const createAll = (some: readonly BenchObject[], atOnce: number) =>
    inFlight(some, atOnce, ({ collection, body }) => client.send("POST", collection, body));
  const deleteAll = (some: readonly BenchObject[], atOnce: number) =>
    inFlight(some, atOnce, ({ path }) => client.send("DELETE", path));
  const sample = made.slice(0, Math.max(500, made.length / 10));
  const steps = [8, 16, 32, 64];
  const times = {
    list: new Map<number, number>(),
    create: new Map<number, number>(),
    delete: new Map<number, number>(),
  };
  for (const atOnce of steps) {
    times.delete.set(atOnce, await seconds(() => deleteAll(sample, atOnce)));
    times.create.set(atOnce, await seconds(() => createAll(sample, atOnce)));
  }
  for (const atOnce of [2, 4, 8])
    times.list.set(atOnce, await seconds(() => inFlight(collections(made), atOnce, (path) => client.readPages(path))));
  const all = new Set(collections(sample));
  await createMissing(client, made);
  const wholeTime = await seconds(() => deleteCollections(client, [...all], 8));
  const wholeRate = made.filter(({ collection }) => all.has(collection)).length / wholeTime;
  await createMissing(client, made);
  const bestDelete = best(times.delete);
  const oneByOne = sample.length / (times.delete.get(bestDelete) ?? 0) > wholeRate;
  const [createAtOnce, list] = [best(times.create), best(times.list)];
  bench.say(
    `  ${JSON.stringify({ list: [...times.list], create: [...times.create], delete: [...times.delete], sample: sample.length, "deletecollection/s": wholeRate })}`,
  );
  await client.close();
  return {
    list,
    createAtOnce,
    deleteWords: oneByOne ? `${bestDelete} at once` : "by collection",
    create: (bare) => inFlight(made, createAtOnce, ({ collection, body }) => bare.send("POST", collection, body)),
    delete: (bare) =>
      oneByOne
        ? inFlight(made, bestDelete, ({ path }) => bare.send("DELETE", path))
        : deleteCollections(bare, collections(made), 8),
  };
}

/** Deletes collections but for what the cluster has put there itself. */
export function deleteCollections(client: BareClient, paths: readonly string[], atOnce: number): Promise<void> {
  const others = encodeURIComponent("metadata.name!=kube-root-ca.crt");
  return inFlight(paths, atOnce, (path) => client.send("DELETE", `${path}?fieldSelector=${others}`));
}

async function createMissing(client: BareClient, made: readonly BenchObject[]): Promise<void> {
  await inFlight(made, 32, ({ collection, body }) =>
    client.send("POST", collection, body).catch((error: unknown) => {
      if (!String(error).includes("AlreadyExists")) throw error;
    }),
  );
}

function best(times: ReadonlyMap<number, number>): number {
  return [...times].sort(([, a], [, b]) => a - b)[0]?.[0] ?? 1;
}

/** Somebody who uses the control plane meanwhile: reads one object again and again, and takes down how long that takes. */
class Bystander {
  readonly #cluster: TestCluster;
  readonly #times = new Map<string, number[]>();

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  /** Reads until the returned function is called. */
  watch(when: string): () => void {
    const times = this.#times.get(when) ?? [];
    this.#times.set(when, times);
    const timer = setInterval(() => {
      const start = performance.now();
      void this.#cluster.kubernetes.get("/api/v1/namespaces/default").then(() => times.push(performance.now() - start));
    }, 20);
    return () => clearInterval(timer);
  }

  async measure(when: string, ms: number): Promise<void> {
    const stop = this.watch(when);
    await new Promise((resolve) => {
      setTimeout(resolve, ms);
    });
    stop();
  }

  summary(): string {
    const parts = [...this.#times].map(([when, times]) => {
      const sorted = times.toSorted((a, b) => a - b);
      const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(1);
      return `${at(0.5)} ms (99 %: ${at(0.99)}) ${when}`;
    });
    return parts.join("; ");
  }
}
