import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type RealCluster, startRealCluster, whyNoRealNode } from "../../test/cluster/support/real-node.ts";
import { type S3Server, startS3Server } from "../../test/cluster/support/s3-server.ts";
import { claimFolder } from "../../test/cluster/support/volumes.ts";
import { copyFlags, makeClaim, makeClaims, repositoryIn, ResticByHand } from "../../test/cluster/copies/scene.ts";
import { openAccount } from "../account.ts";
import type { BenchCase, Result, Round } from "../bench-case.ts";
import type { Bench } from "../bench.ts";
import { BareRestic } from "../copies/bare-restic.ts";
import { type Contents, writeLargeFiles, writeSmallFiles } from "../copies/volumes.ts";
import { MeasuredService } from "../service.ts";

const atOnce = 2;
const manyClaims = 20;
/** MiB by which copies may raise the service's peak memory. */
const growth = 30;

interface Scene {
  readonly bench: Bench;
  readonly cluster: RealCluster;
  readonly s3: S3Server;
  readonly start: (repository: string, flags?: readonly string[]) => Promise<MeasuredService>;
}

/** Copies of volumes and what is restored from them, by pods of a real node, against restic alone. */
export const copies: BenchCase = {
  name: "copies",
  async run(bench) {
    const why = await whyNoRealNode();
    if (why !== undefined) {
      bench.say(`copies: skipped, as this machine runs no pods: ${why}`);
      return [];
    }
    const cluster = await startRealCluster();
    const s3 = await startS3Server(cluster.address);
    try {
      await makeClaims(cluster, s3);
      const account = await openAccount(cluster);
      const start = (repository: string, flags: readonly string[] = []) =>
        MeasuredService.start(cluster, account, [...copyFlags(repositoryIn(s3, repository)), ...flags]);
      const scene = { bench, cluster, s3, start };
      return [...(await againstRestic(scene)), await memoryOfMany(scene)];
    } finally {
      await s3.stop();
      await cluster.stop();
    }
  },
};

const steps = ["first", "same", "changed"] as const;
type Rounds = Record<(typeof steps)[number] | "restored", Round[]>;

async function againstRestic({ bench, cluster, s3, start }: Scene): Promise<readonly Result[]> {
  const contents: Contents = bench.quick ? { size: 128, files: 5_000 } : { size: 1_024, files: 100_000 };
  const names = ["large-1", "large-2", "small-1", "small-2"];
  for (const name of names) await makeClaim(cluster, name, "Filesystem");
  // A restore gives the claims other volumes.
  const folders = async () =>
    new Map(await Promise.all(names.map(async (name) => [name, await claimFolder(cluster, "cdp", name)] as const)));
  const write = async (change: boolean) => {
    for (const [name, folder] of await folders())
      await (name.startsWith("large") ? writeLargeFiles : writeSmallFiles)(folder, contents, change);
  };
  bench.say("copies: writing the volumes");
  await write(false);
  let withParent = 0;
  const rounds: Rounds = { first: [], same: [], changed: [], restored: [] };
  for (let round = 1; round <= bench.rounds; round++) {
    const service = await start(`ours-${round}`);
    const bare = await BareRestic.open(s3, `bare-${round}`, atOnce);
    try {
      let crn = "";
      for (const step of steps) {
        if (step === "changed") await write(true);
        ({ crn } = await service.backup());
        const ours = await service.copy(crn);
        rounds[step].push({ ours, yardstick: await bare.backUp(await folders()) });
        bench.say(`  round ${round}: ${step}: ${JSON.stringify(rounds[step].at(-1))}`);
      }
      const restic = await ResticByHand.open(s3, repositoryIn(s3, `ours-${round}`), service.keyFile);
      withParent = (await restic.snapshots()).filter(({ parent }) => parent !== undefined).length;
      await rm(join(cluster.storageFolder, "snapshots"), { recursive: true });
      await mkdir(join(cluster.storageFolder, "snapshots"));
      const ours = (await service.restore(crn))["PRE_VALIDATION"] ?? Number.NaN;
      rounds.restored.push({ ours, yardstick: await bare.restore(names) });
      bench.say(`  round ${round}: restored: ${JSON.stringify(rounds.restored.at(-1))}`);
    } finally {
      await service.stop();
      await bare.stop();
    }
  }
  await cluster.kubectl("-n", "cdp", "delete", "pvc", "--all", "--wait");
  const what = `2 x ${contents.size} MiB, 2 x ${contents.files} files`;
  const parents = `${withParent} of ${names.length * (steps.length - 1)}`;
  const result = (name: string, of: Round[], yardstick: string, atMost: number): Result => ({
    name: `${name} (${what})`,
    yardstick,
    unit: "s",
    rounds: of,
    ratio: { atMost, collapse: 10 },
    figures: {},
  });
  const onCopies = "bare restic on copies of the folders";
  return [
    result("first copy of 4 volumes", rounds.first, onCopies, 1.15),
    {
      ...result("copy with nothing changed", rounds.same, `${onCopies}, which finds its parent`, 1.2),
      figures: { "later copies that found theirs": parents },
    },
    result("copy with 1 % changed", rounds.changed, `${onCopies}, which finds its parent`, 1.2),
    result("PRE_VALIDATION, in which 4 volumes are filled", rounds.restored, "bare restic restore --verify", 1.15),
  ];
}

/** The peak of the service's memory while many volumes are copied, beside what it holds when it has nothing to do. */
async function memoryOfMany({ bench, cluster, start }: Scene): Promise<Result> {
  const names = Array.from({ length: manyClaims }, (_, index) => `many-${index}`);
  for (const name of names) {
    await makeClaim(cluster, name, "Filesystem");
    await writeFile(join(await claimFolder(cluster, "cdp", name), "file"), randomBytes(4 * 2 ** 20));
  }
  const rounds: Round[] = [];
  for (let round = 1; round <= bench.rounds; round++) {
    const service = await start(`many-${round}`, [`--copies-concurrency=${manyClaims}`, "--copies-upload-limit=400"]);
    try {
      await service.forgetPeak();
      const idle = await service.peakMemory();
      const { crn } = await service.backup();
      await service.forgetPeak();
      await service.copy(crn);
      rounds.push({ ours: await service.peakMemory(), yardstick: idle + growth });
      bench.say(`  round ${round}: memory: ${JSON.stringify(rounds.at(-1))}`);
    } finally {
      await service.stop();
    }
  }
  return {
    name: `peak memory while ${manyClaims} volumes are copied at once`,
    yardstick: `the same service before its first job, and ${growth} MiB`,
    unit: "MiB",
    rounds,
    ratio: { atMost: 1, collapse: 1.5 },
    figures: {},
  };
}
