import type { BenchCase, Round } from "../bench-case.ts";
import { ScratchData, type ScratchBackup } from "../serving/scratch-data.ts";
import { ServerProcess } from "../serving/server-process.ts";
import { startArguments } from "../../test/support/start-arguments.ts";

/** A start with much bookkeeping and unfinished jobs, whose API server refuses them, against one with nothing to know. */
export const recovery: BenchCase = {
  name: "recovery",
  async run(bench) {
    const count = bench.quick ? 10_000 : 100_000;
    bench.say(`recovery: recording ${count} backups`);
    const full = await ScratchData.create(backups(count));
    const empty = await ScratchData.create([]);
    const rounds: Round[] = [];
    const starts: { ours: Start; yardstick: Start }[] = [];
    try {
      for (let round = 0; round < bench.rounds; round += 1) {
        const turns: typeof starts = [];
        for (let turn = 0; turn < (bench.quick ? 3 : 5); turn += 1)
          turns.push({ ours: await start(full), yardstick: await start(empty) });
        const fastest = (whose: keyof Round) => Math.min(...turns.map((turn) => turn[whose].time));
        rounds.push({ ours: fastest("ours"), yardstick: fastest("yardstick") });
        starts.push(...turns);
      }
    } finally {
      await Promise.all([full.remove(), empty.remove()]);
    }
    const name = `recovery: start with ${count.toLocaleString("en")} finished and ${unfinished} unfinished backups`;
    const ratio = { atMost: 1.5, collapse: 3 };
    const cpu = (whose: keyof Round) => `${Math.min(...starts.map((turn) => turn[whose].cpu)).toFixed(2)} s`;
    const figures = { CPU: cpu("ours"), "of the yardstick": cpu("yardstick") };
    return [{ name, yardstick: "start with none", unit: "s", rounds, ratio, figures }];
  },
};

const unfinished = 10;

interface Start {
  /** Seconds from the start of the process until it has answered a call. */
  readonly time: number;
  /** Seconds of CPU that it used. */
  readonly cpu: number;
}

/** Works on a copy, as a start changes what it finds. */
async function start(data: ScratchData): Promise<Start> {
  const copy = await data.copy();
  const before = performance.now();
  const server = await ServerProcess.start(startArguments, copy.flags);
  try {
    await server.call("listBackups", { pageSize: 1 });
    return { time: (performance.now() - before) / 1_000, cpu: await server.cpu() };
  } finally {
    await server.stop();
    await copy.remove();
  }
}

/** One job at a time works on a control plane: the others wait for it. */
function* backups(count: number): Generator<ScratchBackup> {
  for (let number = 0; number < count; number += 1) yield { name: `nightly ${number}`, state: "COMPLETED" };
  yield { name: "interrupted", state: "IN_PROGRESS" };
  for (let number = 1; number < unfinished; number += 1) yield { name: `waiting ${number}`, state: "NOT_STARTED" };
}
