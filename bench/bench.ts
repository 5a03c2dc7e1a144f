import { type TestCluster, startCluster } from "../test/cluster/support/cluster.ts";

/** What every case may use. */
export interface Bench {
  /** Fewer objects and rounds: for CI. */
  readonly quick: boolean;
  readonly rounds: number;
  /** A real cluster, started when first asked for. */
  cluster(): Promise<TestCluster>;
  /** Says what is being done. */
  say(text: string): void;
}

/** Stops the cluster at `stop`, if one was started. */
export function openBench(options: { quick: boolean; rounds: number }): Bench & { stop(): Promise<void> } {
  let cluster: Promise<TestCluster> | undefined;
  return {
    ...options,
    cluster: () => (cluster ??= startCluster()),
    say: (text) => process.stderr.write(`${text}\n`),
    stop: async () => (await cluster)?.stop(),
  };
}
