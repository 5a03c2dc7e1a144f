import { statSync } from "node:fs";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runDemo } from "../../demo/demo.ts";
import { differences } from "../../demo/differences.ts";
import { KubernetesClient } from "../../demo/kubernetes-client.ts";
import { takePicture } from "../../demo/picture.ts";
import { Screen } from "../../demo/screen.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import type { Simulator } from "../../simulator/simulator.ts";

test("the demo brings everything back, shows every phase, and makes a key for its user alone and says so", async () => {
  const out = new PassThrough();
  let shown = "";
  let keyMode: string | undefined;
  out.on("data", (line: Buffer) => {
    shown += line.toString();
    // Looked at as soon as it is told of: it goes with the demo.
    const keyFile = /It has made a key, (.+), and encrypts backups with it/.exec(shown)?.[1];
    if (keyFile !== undefined) keyMode ??= (statSync(keyFile).mode & 0o777).toString(8);
  });
  const isSame = await runDemo(new Screen(out), { pace: 2 });
  expect(keyMode).toBe("600");
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
  expect(isSame).toBe(true);
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
