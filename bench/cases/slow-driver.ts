import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "../../test/cluster/support/cluster.ts";
import { apiPath } from "../../test/cluster/support/kubernetes-client.ts";
import { claims } from "../../test/cluster/support/volumes.ts";
import { openAccount } from "../account.ts";
import type { BenchCase, Round } from "../bench-case.ts";
import { inFlight } from "../in-flight.ts";
import { MeasuredService, type Phases } from "../service.ts";

const namespace = "cdp";
const atOnce = 32;

/** How long a restore keeps applications down where the driver takes long to fill volumes, against one that takes no time. */
export const slowDriver: BenchCase = {
  name: "slow-driver",
  async run(bench) {
    const [count, refusals] = bench.quick ? [5, 6] : [100, 19];
    const cluster = await bench.cluster();
    const account = await openAccount(cluster);
    const client = account.client(atOnce);
    const metadata = { name: namespace };
    await cluster.kubernetes.create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata });
    const service = await MeasuredService.start(cluster, account);
    const rounds: Round[] = [];
    const filling: number[] = [];
    try {
      const names = Array.from({ length: count }, (_, index) => `claim-${index}`);
      await inFlight(names, atOnce, (name) => client.send("POST", apiPath(claims, namespace), claim(name)));
      await cluster.kubectl("--namespace", namespace, "wait", "pvc", "--all", bound, "--timeout=120s");
      const { crn } = await service.backup();
      for (let round = 1; round <= bench.rounds; round++) {
        const quick = await service.restore(crn);
        await slowDown(cluster, refusals);
        const slow = await service.restore(crn);
        filling.push(slow["PRE_VALIDATION"] ?? NaN);
        rounds.push({ ours: downtime(slow), yardstick: downtime(quick) });
        bench.say(`  round ${round}: ${JSON.stringify({ slow, quick })}`);
      }
      await service.deleteBackup(crn);
    } finally {
      await service.stop();
      await client.close();
      await cluster.kubectl("delete", "namespace", namespace, "--wait");
    }
    return [
      {
        name: `downtime of a restore of ${count} claims whose driver takes long`,
        yardstick: "the same, with a driver that takes no time",
        unit: "s",
        rounds,
        ratio: { atMost: 1.25, collapse: 3 },
        figures: { "PRE_VALIDATION, in which volumes are filled": `${Math.min(...filling).toFixed(1)} s` },
      },
    ];
  },
};

const bound = "--for=jsonpath={.status.phase}=Bound";

/** Seconds in which applications are stopped. */
function downtime(phases: Phases): number {
  const running = phases["PRE_VALIDATION"] ?? 0;
  return Object.values(phases).reduce((total, time) => total + time, -running);
}

/** Lets the driver put off so often, for every snapshot, to fill a volume from it: it is asked again after up to two seconds. */
async function slowDown({ storageFolder }: TestCluster, times: number): Promise<void> {
  const text = JSON.stringify({ code: "UNAVAILABLE", message: "busy", times });
  const snapshots = await readdir(join(storageFolder, "snapshots"), { withFileTypes: true });
  for (const snapshot of snapshots)
    if (snapshot.isDirectory()) await writeFile(join(storageFolder, "failing", snapshot.name), text);
}

function claim(name: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name },
    spec: { storageClassName: "dir", accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } },
  });
}
