import { cpus } from "node:os";
import { type Result, isMet, median, ratios } from "./bench-case.ts";

/** The results as a Markdown table. */
export function table(results: readonly Result[]): string {
  const head = ["case", "ours", "yardstick", "ratio (spread)", "target", "met", "also"];
  const rows = results.map((result) => {
    const sorted = ratios(result);
    const { atMost, atLeast } = result.ratio;
    const figures = Object.entries(result.figures).map(([name, value]) => `${name}: ${value}`);
    return [
      result.name,
      `${shown(middle(result, "ours"))} ${result.unit}`,
      `${result.yardstick}: ${shown(middle(result, "yardstick"))} ${result.unit}`,
      `${median(sorted).toFixed(2)} (${sorted[0]?.toFixed(2)} to ${sorted.at(-1)?.toFixed(2)})`,
      atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`,
      isMet(result) ? "yes" : "no",
      figures.join(", "),
    ];
  });
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return `${lines.join("\n")}\n`;
}

/** What `results.json` holds. */
export function document(results: readonly Result[], command: string): string {
  const machine = { cores: cpus().length, model: cpus()[0]?.model, node: process.version };
  return `${JSON.stringify({ command, time: new Date().toISOString(), machine, results }, null, 2)}\n`;
}

function middle({ rounds }: Result, whose: "ours" | "yardstick"): number {
  return median(rounds.map((round) => round[whose]).sort((a, b) => a - b));
}

function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
