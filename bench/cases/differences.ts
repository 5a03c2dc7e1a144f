import { openAccount } from "../account.ts";
import type { BareClient } from "../bare-client.ts";
import type { BenchCase, Result, Round } from "../bench-case.ts";
import { inFlight, seconds } from "../in-flight.ts";
import { MeasuredService, type Phases } from "../service.ts";
import { type BenchObject, collections, fill, flagsFor, layout, removeNamespaces, valueOfSize } from "./objects.ts";

const listsAtOnce = 4;
const writesAtOnce = 32;

/**
 * Restores in place, whole, where one object in a hundred differs from the backup, and where all do: against two bare lists of
 * all objects, as such a restore has to look before the applications are stopped and after that, and bare writes of those that differ.
 */
export const differences: BenchCase = {
  name: "differences",
  async run(bench) {
    const count = bench.quick ? 1_000 : 10_000;
    const cluster = await bench.cluster();
    const account = await openAccount(cluster);
    const client = account.client(64);
    const wanted = layout(count, 1);
    const made = await fill(cluster, client, wanted);
    const few = made.filter((_, index) => index % 100 === 0);
    const service = await MeasuredService.start(cluster, account, flagsFor(wanted));
    const whole: Record<"few" | "all", Round[]> = { few: [], all: [] };
    const writing: Round[] = [];
    try {
      const { crn } = await service.backup();
      for (let round = 1; round <= bench.rounds; round++)
        for (const [which, changed] of [["few", few] as const, ["all", made] as const]) {
          await change(client, changed);
          const phases = await service.restore(crn);
          const lists = await seconds(() => inFlight(collections(made), listsAtOnce, (path) => client.readPages(path)));
          const writes = await seconds(() => change(client, changed));
          whole[which].push({ ours: sum(phases), yardstick: 2 * lists + writes });
          if (which === "all") writing.push({ ours: phases["RESTORING_OBJECTS"] ?? NaN, yardstick: writes });
          bench.say(`  round ${round}, ${changed.length} differ: ${JSON.stringify({ phases, lists, writes })}`);
          await service.restore(crn);
        }
      const writes = `bare PUTs, ${writesAtOnce} at once`;
      const results: Result[] = (["few", "all"] as const).map((which) => ({
        name: `a whole restore of ${count} objects, ${which === "few" ? few.length : "all"} of which differ`,
        yardstick: `two bare lists, and ${writes}`,
        unit: "s",
        rounds: whole[which],
        ratio: { atMost: 2, collapse: which === "few" ? 20 : 6 },
        figures: {},
      }));
      return [
        ...results,
        {
          name: `RESTORING_OBJECTS of ${count} objects, all of which differ`,
          yardstick: writes,
          unit: "s",
          rounds: writing,
          ratio: { atMost: 1.13, collapse: 4 },
          figures: { "peak memory": `${(await service.peakMemory()).toFixed(0)} MiB` },
        },
      ];
    } finally {
      await service.stop();
      await client.close();
      await removeNamespaces(cluster, wanted);
    }
  },
};

/** Gives objects other values, as large as those they have. */
async function change(client: BareClient, made: readonly BenchObject[]): Promise<void> {
  await inFlight(made, writesAtOnce, async ({ path, body }) => {
    const object = JSON.parse(body) as { data: { value: string } };
    object.data.value = valueOfSize(object.data.value.length);
    await client.send("PUT", path, JSON.stringify(object));
  });
}

function sum(phases: Phases): number {
  return Object.values(phases).reduce((total, time) => total + time, 0);
}
