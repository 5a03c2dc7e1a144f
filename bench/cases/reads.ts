import { type BenchCase, median, type Result, type Round } from "../bench-case.ts";
import type { Bench } from "../bench.ts";
import { encode, type Load, serve } from "../serving/load.ts";
import { ScratchData } from "../serving/scratch-data.ts";
import { ServerProcess } from "../serving/server-process.ts";
import { startArguments } from "../../test/support/start-arguments.ts";

const rows = 20;
const connectionCounts = [1, 8, 64];
/** What the service gives Node: its limits of the heap. */
const nodeFlags = startArguments.slice(0, -1);

/** Describing and listing, against the same server in front of an engine that knows the answers already. */
export const reads: BenchCase = {
  name: "reads",
  async run(bench) {
    const data = await ScratchData.create(
      Array.from({ length: rows }, (_, index) => ({ name: `nightly ${index}`, state: "PARTIALLY_FAILED" }) as const),
    );
    const copy = await data.copy();
    const service = await ServerProcess.start(startArguments, data.flags);
    const constant = await ServerProcess.start([...nodeFlags, "bench/serving/constant-server.ts"], copy.flags);
    try {
      const { backups } = (await service.call("listBackups", { pageSize: 1 })) as { backups: { backupCrn: string }[] };
      const calls = [
        { method: "describeBackup", request: { backupCrn: backups[0]?.backupCrn ?? "" } },
        { method: "listBackups", request: {} },
      ] as const;
      const results: Result[] = [];
      for (const { method, request } of calls) {
        for (const protocol of ["gRPC", "JSON"] as const) {
          const call = encode(protocol, method, request);
          for (const connections of connectionCounts) {
            const name = `reads: ${method} by ${protocol}, ${connections} ${connections === 1 ? "connection" : "connections"}`;
            bench.say(name);
            results.push({ name, ...(await measure(bench, { ...call, connections }, [service, constant])) });
          }
        }
      }
      return results;
    } finally {
      await Promise.all([service.stop(), constant.stop()]);
      await Promise.all([data.remove(), copy.remove()]);
    }
  },
};

async function measure(
  bench: Bench,
  call: Omit<Load, "targets" | "seconds">,
  servers: readonly [service: ServerProcess, constant: ServerProcess],
): Promise<Omit<Result, "name">> {
  const rounds: Round[] = [];
  const cpuPerRequest: Round[] = [];
  const targets = servers.map(({ url }) => ({ url }));
  for (let round = 0; round < bench.rounds; round += 1) {
    const before = await cpuOf(servers);
    const [ours, yardstick] = await serve({ ...call, targets, seconds: bench.quick ? 0.6 : 4 });
    const after = await cpuOf(servers);
    if (ours === undefined || yardstick === undefined) throw new Error("the load generator left a server out");
    rounds.push({ ours: ours.perSecond, yardstick: yardstick.perSecond });
    cpuPerRequest.push({
      ours: (after[0] - before[0]) / ours.requests,
      yardstick: (after[1] - before[1]) / yardstick.requests,
    });
  }
  const microseconds = (whose: keyof Round) => {
    const sorted = cpuPerRequest.map((round) => round[whose] * 1e6).sort((a, b) => a - b);
    return `${median(sorted).toFixed(0)} us`;
  };
  return {
    yardstick: "an engine of constants",
    unit: "requests/s",
    rounds,
    ratio: { atLeast: 0.8, collapse: 0.4 },
    figures: { "CPU per request": microseconds("ours"), "of the yardstick": microseconds("yardstick") },
  };
}

async function cpuOf([service, constant]: readonly [ServerProcess, ServerProcess]): Promise<[number, number]> {
  return [await service.cpu(), await constant.cpu()];
}
