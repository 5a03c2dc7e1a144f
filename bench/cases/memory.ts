import { openAccount } from "../account.ts";
import type { BenchCase, Result } from "../bench-case.ts";
import { MeasuredService } from "../service.ts";
import { collections, deleteCollections, fill, flagsFor, layout, removeNamespaces } from "./objects.ts";

/** MiB. */
const limit = 250;
const growth = 30;

/** The service's peak memory over a backup and a restore, with more and more objects. */
export const memory: BenchCase = {
  name: "memory",
  async run(bench) {
    const cluster = await bench.cluster();
    const account = await openAccount(cluster);
    const client = account.client(64);
    const peaks: { objects: number; backup: number; restore: number }[] = [];
    for (const count of bench.quick ? [500, 2_000] : [1_000, 10_000, 50_000]) {
      const wanted = layout(count, 1);
      const made = await fill(cluster, client, wanted);
      const service = await MeasuredService.start(cluster, account, flagsFor(wanted));
      try {
        const { crn } = await service.backup();
        const backup = await service.peakMemory();
        await deleteCollections(client, collections(made), 8); // so that all are created
        await service.restore(crn);
        peaks.push({ objects: count, backup, restore: await service.peakMemory() });
        bench.say(`  ${JSON.stringify(peaks.at(-1))}`);
      } finally {
        await service.stop();
        await removeNamespaces(cluster, wanted);
      }
    }
    await client.close();
    const results: Result[] = peaks.map(({ objects, backup, restore }) => ({
      name: `peak memory, ${objects} objects`,
      yardstick: "the limit",
      unit: "MiB",
      rounds: [{ ours: restore, yardstick: limit }],
      ratio: { atMost: 1, collapse: 1.6 },
      figures: { "after the backup": `${backup.toFixed(0)} MiB` },
    }));
    const [smaller, larger] = peaks.slice(-2);
    if (smaller && larger)
      results.push({
        name: `peak memory, ${larger.objects} objects beside ${smaller.objects}`,
        yardstick: `${smaller.objects} objects' and ${growth} MiB`,
        unit: "MiB",
        rounds: [{ ours: larger.restore, yardstick: smaller.restore + growth }],
        ratio: { atMost: 1, collapse: 1.5 },
        figures: {},
      });
    return results;
  },
};
