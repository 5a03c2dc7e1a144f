import { globSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { runDemo } from "../../demo/demo.ts";
import { differences } from "../../demo/differences.ts";
import { KubernetesClient } from "../../demo/kubernetes-client.ts";
import { takePicture } from "../../demo/picture.ts";
import { Screen } from "../../demo/screen.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import type { Simulator } from "../../simulator/simulator.ts";
import { temporaryFolder } from "../engine/store/temporary-store.ts";

test("the demo brings everything back, shows every phase, and makes a key for its user alone and says so", async () => {
  const out = new PassThrough();
  let shown = "";
  const keyModes: string[] = [];
  vi.stubEnv("TMPDIR", temporaryFolder());
  onTestFinished(() => void vi.unstubAllEnvs());
  out.on("data", (line: Buffer) => {
    shown += line.toString();
    // Read as soon as it is named: it goes with the demo.
    if (keyModes.length === 0 && shown.includes("a key of this demo's own")) keyModes.push(...modesOfKeys());
  });
  const isSame = await runDemo(new Screen(out), { pace: 2 });
  expect(keyModes).toEqual(["600"]);
  expect(modesOfKeys()).toEqual([]);
  expect(shown).toMatch(/Nothing differs: \d+ objects/);
  expect([...shown.matchAll(/✔ ([A-Z_]{2,})/g)].map(([, phase]) => phase)).toEqual([
    "PRE_VALIDATION",
    "SAVING_OBJECTS",
    "CREATING_SNAPSHOTS",
    "PRE_VALIDATION",
    "STOPPING_APPS",
    "DELETING_OBJECTS",
    "DELETING_OBJECTS_PVC",
    "RESTORING_PVC",
    "RESTORING_OBJECTS",
    "STARTING_APPS",
  ]);
  expect(shown.match(/^ {2}[A-Z_]+$/gm)).toEqual(["  COMPLETED", "  COMPLETED"]);
  expect(isSame).toBe(true);
  const lines = shown.split("\n");
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
  expect(lines.filter((line) => /✔ [A-Z_]{2,} +\d+\.\d s *$/.test(line))).toEqual([]);
  const counts = [...shown.matchAll(/(\d+)\/(\d+) \w+/g)];
  expect(counts.filter(([, done, all]) => Number(done) > Number(all)).map(([progress]) => progress)).toEqual([]);
});

/** The modes of the keys of the demos that run. */
function modesOfKeys(): readonly string[] {
  return globSync(join(tmpdir(), "drs-demo-*/encryption-keys")).map((file) =>
    (statSync(file).mode & 0o777).toString(8),
  );
}

test("on a terminal no line, moving or not, is longer than 80 columns", async () => {
  const out = Object.assign(new PassThrough(), { isTTY: true, columns: 200 });
  let shown = "";
  out.on("data", (text: Buffer) => (shown += text.toString()));
  await runDemo(new Screen(out), { pace: 2 });
  const lines = stripVTControlCharacters(shown).split(/[\r\n]/);
  expect(lines.some((line) => line.includes("█"))).toBe(true);
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

test("a text that is too long for a line goes on below its beginning", () => {
  const out = new PassThrough();
  const screen = new Screen(out);
  screen.line(`  ! ${"word ".repeat(16)}end`);
  screen.line("x".repeat(170));
  screen.line("a  b");
  expect(String(out.read())).toBe(
    `  ! ${"word ".repeat(15).trimEnd()}\n    word end\n${"x".repeat(80)}\n${"x".repeat(80)}\n${"x".repeat(10)}\na  b\n`,
  );
});

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator({ sample: true });
});
afterEach(() => simulator.close());

test("the comparison finds every difference, to the last digit and byte", async () => {
  const client = new KubernetesClient(simulator.url);
  const picture = () => takePicture(client, simulator.volumes, ["cdp", "vault-system"]);
  const before = await picture();
  expect(differences(before, await picture())).toEqual([]);

  const environment = "/apis/platform.cdp.example/v1/namespaces/cdp/environments/production";
  await client.request("PATCH", environment, { spec: { serial: 9_007_199_254_740_992 } });
  await client.request("PATCH", "/api/v1/namespaces/cdp/configmaps/staging-warehouse-catalog", {
    metadata: { ownerReferences: null },
  });
  await client.request("DELETE", "/api/v1/namespaces/cdp/secrets/cdp-registry");
  await client.request("POST", "/api/v1/namespaces/vault-system/configmaps", { metadata: { name: "stray" } });
  simulator.volumes.write("vault-system", "data-vault-0", "core/_keyring", Buffer.alloc(1_024));
  simulator.volumes.remove("cdp", "cdp-artifacts", "charts/index.yaml");
  await simulator.settled();

  expect(differences(before, await picture())).toEqual([
    "ConfigMap cdp/staging-warehouse-catalog: metadata.ownerReferences differs",
    "ConfigMap vault-system/stray: new",
    "Environment cdp/production: spec.serial differs",
    "Secret cdp/cdp-registry: missing",
    "cdp/cdp-artifacts: charts/index.yaml: missing",
    "vault-system/data-vault-0: core/_keyring: other bytes",
  ]);
});
