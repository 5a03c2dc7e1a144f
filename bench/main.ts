import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command, Option } from "commander";
import { parseCount } from "../server/settings/parsers.ts";
import { type Result, isMet } from "./bench-case.ts";
import { openBench } from "./bench.ts";
import { cases } from "./cases/all.ts";
import { document, table } from "./report.ts";

interface Options {
  readonly quick: boolean;
  readonly only: string;
  readonly rounds?: number;
  readonly check: boolean;
}

const allNames = cases.map(({ name }) => name);
const program = new Command("npm run bench --")
  .description("Measures the service on a real cluster, each case in turn with its yardstick.")
  .option("--quick", "fewer objects and rounds: under five minutes", false)
  .option("--only <names>", `some of the cases, with commas between: ${allNames.join(",")}`, allNames.join(","))
  .addOption(new Option("--rounds <n>", "how often each case is measured").argParser(parseCount))
  .option("--check", "fail when a case is about twice as bad as it was", false)
  .parse();
const options = program.opts<Options>();
const wanted = options.only.split(",").map((name) => name.trim());
const unknown = wanted.filter((name) => !allNames.includes(name));
if (unknown.length > 0) program.error(`there is no case ${unknown.join(", ")}: there are ${allNames.join(", ")}`);

const bench = openBench({ quick: options.quick, rounds: options.rounds ?? (options.quick ? 2 : 3) });
const results: Result[] = [];
try {
  for (const benchCase of cases.filter(({ name }) => wanted.includes(name)))
    results.push(...(await benchCase.run(bench)));
} finally {
  await bench.stop();
}
process.stdout.write(table(results));
const command = ["npm run bench --", ...process.argv.slice(2)].join(" ");
await writeFile(join(import.meta.dirname, "results.json"), document(results, command));
if (options.check) {
  const collapsed = results.filter((result) => !isMet(result, { collapse: true }));
  for (const { name } of collapsed) process.stdout.write(`failed: ${name}: about twice as bad as it was\n`);
  process.stdout.write(`${results.length - collapsed.length} passed, ${collapsed.length} failed\n`);
  if (collapsed.length > 0) process.exitCode = 1;
}
