const oldestNode = 22;

/** Slow enough to follow on a terminal; elsewhere nobody watches. */
const pace = process.stdout.isTTY ? 120 : 5;

if (Number(process.versions.node.split(".")[0]) < oldestNode) {
  process.stderr.write(`error: Node ${oldestNode} or newer is needed: use "npm run demo", which brings its own\n`);
  process.exit(1);
}
// Only now: an older Node dies of the SQLite module without a word.
const { runDemo } = await import("./demo.ts");
const { Screen } = await import("./screen.ts");
const isSame = await runDemo(new Screen(process.stdout), { pace });
process.exitCode = isSame ? 0 : 1;
