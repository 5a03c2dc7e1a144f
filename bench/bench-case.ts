import type { Bench } from "./bench.ts";

/** What is measured in one round: ours, and in the same round what it is compared with. */
export interface Round {
  readonly ours: number;
  readonly yardstick: number;
}

/** One line of the table. */
export interface Result {
  readonly name: string;
  /** What `yardstick` of each round is. */
  readonly yardstick: string;
  readonly unit: "s" | "requests/s" | "MiB" | "ms";
  readonly rounds: readonly Round[];
  /** The limit of the ratio ours : yardstick. `collapse` is CI's limit: twice as bad as it was when it was set. */
  readonly ratio: { readonly atMost?: number; readonly atLeast?: number; readonly collapse: number };
  /** What else there is to say: objects/s, requests per object, memory. */
  readonly figures: Readonly<Record<string, string | number>>;
}

/** A group of measurements that share their preparation. It leaves nothing behind in the cluster. */
export interface BenchCase {
  /** What `--only` looks for. */
  readonly name: string;
  run(bench: Bench): Promise<readonly Result[]>;
}

/** The ratios, from the smallest to the largest. */
export function ratios({ rounds }: Pick<Result, "rounds">): readonly number[] {
  return rounds.map(({ ours, yardstick }) => ours / yardstick).sort((a, b) => a - b);
}

/** The middle one of sorted numbers. */
export function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Whether the median ratio is within its limit; with `collapse`, whether the best one is within CI's limit. */
export function isMet(result: Result, { collapse = false } = {}): boolean {
  const sorted = ratios(result);
  const { atMost, atLeast = 0, collapse: worst } = result.ratio;
  if (atMost !== undefined) return collapse ? (sorted[0] ?? NaN) <= worst : median(sorted) <= atMost;
  return collapse ? (sorted.at(-1) ?? NaN) >= worst : median(sorted) >= atLeast;
}
