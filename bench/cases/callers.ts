import { type BenchCase, median, type Result, type Round } from "../bench-case.ts";
import type { Bench } from "../bench.ts";
import { KnownCallers } from "../serving/known-callers.ts";
import { encode, type Load, type LoadTarget, serve } from "../serving/load.ts";
import { ScratchData } from "../serving/scratch-data.ts";
import { ServerProcess } from "../serving/server-process.ts";
import { startArguments } from "../../test/support/start-arguments.ts";
import { certificateFile } from "../../test/support/test-server.ts";

const connections = 8;
/** How much of the processor, at most, for each that a request takes where nobody is asked. */
const expected: Readonly<Record<string, number>> = {
  "client certificate": 1.3,
  "signature, ECDSA P-521": 15,
  "token of an issuer, ES256": 4,
};
const atMost = (way: string) => expected[way] ?? 3;

/** The same call of callers who are asked who they are, in each way, and of a service that asks nobody. */
export const callers: BenchCase = {
  name: "callers",
  async run(bench) {
    const known = await KnownCallers.create();
    const data = await ScratchData.create([{ name: "nightly", state: "COMPLETED" }]);
    const copy = await data.copy();
    const asking = await ServerProcess.start(startArguments, await known.flags(data));
    const open = await ServerProcess.start(startArguments, await known.openFlags(copy));
    try {
      const { backups } = (await open.call("listBackups", {})) as { backups: { backupCrn: string }[] };
      const call = encode("JSON", "describeBackup", { backupCrn: backups[0]?.backupCrn ?? "" });
      const results: Result[] = [];
      for (const way of Object.keys(known.shown(call.path))) {
        const name = `callers: ${way}`;
        bench.say(name);
        const targets = () => targetsOf(known.shown(call.path)[way] ?? {}, asking, open);
        const measured = await measure(bench, { ...call, connections }, targets, [asking, open]);
        results.push({ name, ...measured, ratio: { atMost: atMost(way), collapse: 2 * atMost(way) } });
      }
      return results;
    } finally {
      await Promise.all([asking.stop(), open.stop()]);
      await Promise.all([data.remove(), copy.remove(), known.close()]);
    }
  },
};

/** Over TLS both, where a certificate is shown. */
function targetsOf(shown: Omit<LoadTarget, "url">, asking: ServerProcess, open: ServerProcess): readonly LoadTarget[] {
  if (!shown.tls) return [{ ...shown, url: asking.url }, { url: open.url }];
  return [
    { ...shown, url: asking.tlsUrl },
    { tls: { ca: certificateFile }, url: open.tlsUrl },
  ];
}

async function measure(
  bench: Bench,
  call: Omit<Load, "targets" | "seconds">,
  targets: () => readonly LoadTarget[],
  servers: readonly ServerProcess[],
): Promise<Omit<Result, "name" | "ratio">> {
  const rounds: Round[] = [];
  const perSecond: Round[] = [];
  for (let round = 0; round < bench.rounds; round += 1) {
    const before = await Promise.all(servers.map((server) => server.cpu()));
    const served = await serve({ ...call, targets: targets(), seconds: bench.quick ? 0.6 : 4 });
    const after = await Promise.all(servers.map((server) => server.cpu()));
    const [ours, yardstick] = served;
    if (!ours || !yardstick) throw new Error("the load generator left a server out");
    const [cpu = NaN, yardsticksCpu = NaN] = after.map((seconds, index) => 1_000 * (seconds - (before[index] ?? NaN)));
    rounds.push({ ours: cpu / ours.requests, yardstick: yardsticksCpu / yardstick.requests });
    perSecond.push({ ours: ours.perSecond, yardstick: yardstick.perSecond });
  }
  const middle = (whose: keyof Round) =>
    median(perSecond.map((round) => round[whose]).sort((a, b) => a - b)).toFixed(0);
  return {
    yardstick: "CPU where nobody is asked",
    unit: "ms",
    rounds,
    figures: { "requests/s": middle("ours"), "of the yardstick": middle("yardstick") },
  };
}
