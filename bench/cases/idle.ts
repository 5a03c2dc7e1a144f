import { setTimeout as delay } from "node:timers/promises";
import { openAccount } from "../account.ts";
import type { BenchCase, Result, Round } from "../bench-case.ts";
import { ScratchData } from "../serving/scratch-data.ts";
import { ServerProcess } from "../serving/server-process.ts";
import { startArguments } from "../../test/support/start-arguments.ts";

/** A service on a real cluster that has nothing to do, against a server that can do nothing. */
export const idle: BenchCase = {
  name: "idle",
  async run(bench) {
    const account = await openAccount(await bench.cluster());
    const data = await ScratchData.create([{ name: "nightly", state: "COMPLETED" }]);
    const service = await ServerProcess.start(startArguments, [...data.flags, `--kubeconfig=${account.kubeconfig}`]);
    const empty = await ServerProcess.start(["bench/serving/empty-server.ts"]);
    const time = bench.quick ? 5 : 20;
    const requests: Round[] = [];
    const cpu: Round[] = [];
    let emptyCpu = 0;
    const memory: Round[] = [];
    try {
      for (let round = 0; round < bench.rounds; round += 1) {
        const start = await account.requests();
        // Proves that its requests would be seen, and leaves open connections behind.
        await service.call("listBackupEntities", {});
        const asked = await account.requests();
        bench.say(`idle: for ${time} s`);
        const before = [await service.cpu(), await empty.cpu()] as const;
        await delay(time * 1_000);
        cpu.push({ ours: (await service.cpu()) - before[0], yardstick: time });
        emptyCpu += (await empty.cpu()) - before[1];
        requests.push({ ours: ((await account.requests()) - asked) / time, yardstick: asked - start });
        memory.push({ ours: (await service.memory()).now, yardstick: (await empty.memory()).now });
      }
    } finally {
      await Promise.all([service.stop(), empty.stop()]);
      await data.remove();
    }
    const server = "a server that does nothing";
    const results: readonly Result[] = [
      {
        name: "idle: requests to the cluster",
        yardstick: "asked for the entities once a second",
        unit: "requests/s",
        rounds: requests,
        ratio: { atMost: 0, collapse: 0 },
        figures: {},
      },
      {
        name: "idle: CPU",
        yardstick: "a busy core",
        unit: "s",
        rounds: cpu,
        ratio: { atMost: 0.002, collapse: 0.01 },
        figures: { [server]: `${(emptyCpu / bench.rounds).toPrecision(2)} s` },
      },
      {
        name: "idle: memory",
        yardstick: server,
        unit: "MiB",
        rounds: memory,
        ratio: { atMost: 3, collapse: 5 },
        figures: {},
      },
    ];
    return results;
  },
};
