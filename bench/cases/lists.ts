import type { JsonObject } from "@bufbuild/protobuf";
import type { BenchCase, Result, Round } from "../bench-case.ts";
import { encode, serve } from "../serving/load.ts";
import { ScratchData, type ScratchBackup } from "../serving/scratch-data.ts";
import { ServerProcess } from "../serving/server-process.ts";
import { startArguments } from "../../test/support/start-arguments.ts";

const page = 100;

/** Each finds at least a page in either database; in the large one the last are the oldest of all. */
const filters: Readonly<Record<string, JsonObject>> = {
  "no filter": {},
  "by name": { backupName: "nightly" },
  "by states": { jobStates: ["FAILED", "PARTIALLY_FAILED"] },
  "by name and states": { backupName: "nightly", jobStates: ["FAILED", "PARTIALLY_FAILED"] },
};

/** The first page of a list out of very many backups, and out of no more than that page; then all of them at once. */
export const lists: BenchCase = {
  name: "lists",
  async run(bench) {
    const count = bench.quick ? 10_000 : 100_000;
    bench.say(`lists: recording ${count} backups`);
    const few = await ScratchData.create(backups(page));
    const many = await ScratchData.create(backups(count));
    const fewServed = await ServerProcess.start(startArguments, few.flags);
    const manyServed = await ServerProcess.start(startArguments, many.flags);
    try {
      const results: Result[] = [];
      for (const [what, filter] of Object.entries(filters)) {
        const name = `lists: the first ${page} of ${count.toLocaleString("en")}, ${what}`;
        bench.say(name);
        const call = encode("JSON", "listBackups", { ...filter, pageSize: page });
        const rounds: Round[] = [];
        for (let round = 0; round < bench.rounds; round += 1) {
          const targets = [{ url: manyServed.url }, { url: fewServed.url }];
          const [ours, yardstick] = await serve({ ...call, targets, connections: 1, seconds: bench.quick ? 0.5 : 3 });
          if (!ours || !yardstick) throw new Error("the load generator left a server out");
          rounds.push({ ours: 1_000 / ours.perSecond, yardstick: 1_000 / yardstick.perSecond });
        }
        const ratio = { atMost: 2, collapse: 4 };
        results.push({ name, yardstick: `out of ${page}`, unit: "ms", rounds, ratio, figures: {} });
      }
      return [...results, await whole(count, bench.rounds, [manyServed, fewServed])];
    } finally {
      await Promise.all([fewServed.stop(), manyServed.stop()]);
      await Promise.all([few.remove(), many.remove()]);
    }
  },
};

/** The most memory that the service takes to list all, in one reply and without pages. */
async function whole(
  count: number,
  repeats: number,
  [many, few]: readonly [ServerProcess, ServerProcess],
): Promise<Result> {
  const rounds: Round[] = [];
  const times: number[] = [];
  for (let round = 0; round < repeats; round += 1) {
    const start = performance.now();
    const { backups } = (await many.call("listBackups", {})) as { backups: unknown[] };
    times.push(performance.now() - start);
    if (backups.length !== count) throw new Error(`${backups.length} of ${count} backups were listed`);
    rounds.push({ ours: (await many.memory()).peak, yardstick: (await few.memory()).peak });
  }
  return {
    name: `lists: memory to list all ${count.toLocaleString("en")} as JSON`,
    yardstick: "pages only",
    unit: "MiB",
    rounds,
    ratio: { atMost: 1.5, collapse: 3 },
    figures: { "the fastest list": `${Math.min(...times).toFixed(0)} ms` },
  };
}

/** The oldest have a name and a state that only they have together. */
function* backups(count: number): Generator<ScratchBackup> {
  for (let number = 0; number < count; number += 1) {
    if (number < page) yield { name: "nightly", state: "FAILED" };
    else if (number % 2 === 0) yield { name: "nightly", state: "COMPLETED" };
    else yield { name: `weekly ${number}`, state: number % 50 === 1 ? "FAILED" : "COMPLETED" };
  }
}
