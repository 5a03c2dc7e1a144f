import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { kinds } from "../../../engine/kinds/kinds.ts";
import { readingOrder } from "../../../engine/kinds/reading-order.ts";

const engine = join(import.meta.dirname, "../../../engine");

/** Where kinds are compared by their names, and why that is no rule for the table. */
const exceptions: Readonly<Record<string, string>> = {
  "model.ts": "a selection by namespaces",
  "restore/plan/checked-plan.ts": "the same",
  "restore/source/scope.ts": "the same",
  "objects/namespaced-needs.ts": "fields that name an object in whatever kind they are",
  "restore/delete/deleting-objects.ts": "Secrets that retained volumes need",
  "restore/objects/roll-outs.ts": "roll-outs, which each of three controllers does in its own way",
  "restore/plan/selected-objects.ts": "what a selection needs of the cluster-scoped objects in an archive",
  "restore/plan/stopped-objects.ts": "pods, which stop with their workload",
  "restore/source/archive-contents.ts": "storage classes by which an archive's volumes are made",
  "restore/start/replaying-roll-outs.ts": "roll-outs",
  "restore/start/starting-apps.ts": "the order in which applications are started",
  "restore/stop/running-kinds.ts": "what is stopped, and by what: a table of its own",
  "restore/validate/missing-device-classes.ts": "pods, and the devices that claims give them",
  "restore/validate/rights-granted.ts": "what RBAC asks of those who grant rights",
  "restore/validate/trying-pods.ts": "pods, as their workloads' controllers make them",
  "volumes/nodes-for-volume.ts": "a member's name",
};

const names = new Set(kinds.map(({ name }) => name));

/** Whether a line says more of kinds than which objects it reads or asks for. */
function compares(line: string): boolean {
  if (/partsOf\(|resource: "/.test(line)) return false;
  return (
    /\bkind\b.{0,10}[!=]== "[A-Z]/.test(line) ||
    [...line.matchAll(/"([^"]+)"/g)].some(([, text = ""]) => names.has(text))
  );
}

test("no code outside of the table compares kinds by their names, but for subjects of their own", async () => {
  const files = await Array.fromAsync(glob("**/*.ts", { cwd: engine, exclude: ["kinds", "kubernetes"] }));
  const comparing = await Promise.all(
    files.map(async (file) => {
      const lines = (await readFile(join(engine, file), "utf8")).split("\n");
      return lines.some((line) => !/^\s*(\*|\/)/.test(line) && compares(line)) ? [file] : [];
    }),
  );
  expect(comparing.flat().sort()).toEqual(Object.keys(exceptions).sort());
});

test("each kind is in the table once, and found in the order of reading where a backup looks for it", () => {
  expect(names.size).toBe(kinds.length);
  const read = kinds.filter((kind) => kind.read !== undefined);
  expect(new Set(readingOrder)).toEqual(new Set(read));
});
