import { expect, onTestFinished, test } from "vitest";
import { Cluster } from "../../../engine/kubernetes/cluster.ts";
import { isSavedResource } from "../../../engine/objects/object-selection.ts";
import { occupiedKinds } from "../../../engine/objects/occupied-kinds.ts";
import { resourceName } from "../../../engine/kubernetes/kubernetes-object.ts";
import { startSimulator } from "../../../simulator/simulator.ts";

const { signal } = new AbortController();
const many = ["cdp", "vault-system", "default", "kube-system"];

async function scene() {
  const simulator = await startSimulator({ sample: true });
  const cluster = await Cluster.open({ server: simulator.url }, 8);
  onTestFinished(async () => {
    await cluster.close();
    await simulator.close();
  });
  const kinds = (await cluster.discover(signal)).resources.filter(isSavedResource);
  const occupied = async (namespaces: readonly string[]) =>
    (await occupiedKinds(cluster, kinds, namespaces, 8, signal)).map(resourceName);
  return { simulator, occupied, all: kinds.map(resourceName) };
}

test("of many namespaces only those kinds are looked through that have an object somewhere", async () => {
  const { occupied, all } = await scene();
  const found = await occupied(many);
  expect(found).toContain("configmaps");
  expect(found).toContain("statefulsets.apps");
  expect(found).not.toContain("replicationcontrollers");
  expect(await occupied(many.slice(0, 2))).toEqual(all);
});

test("a kind that may not be looked for everywhere is looked through in each namespace", async () => {
  const { simulator, occupied, all } = await scene();
  simulator.intercept(({ path }) =>
    path.includes("/namespaces/")
      ? undefined
      : { status: 403, body: { kind: "Status", code: 403, reason: "Forbidden", message: "not in all namespaces" } },
  );
  expect(await occupied(many)).toEqual(all);
});
