import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { aControlPlane, clusterPath, type Outcome, type SmallControlPlane } from "./support.ts";

const definitions = "apiextensions.k8s.io/v1/customresourcedefinitions";

let plane: SmallControlPlane;
let restored: Outcome;

beforeAll(async () => {
  plane = await aControlPlane("definitions", kinds.map(({ plural, ...kind }) => definition(plural, kind)).join("---"));
  await eventually("the kinds are served", async () => {
    const served = await Promise.all(kinds.map(({ plural }) => isServed(plural, "v1")));
    return served.every(Boolean);
  });
  await plane.create(kinds.map(({ plural }) => custom(plural)).join("---"));
  await plane.backUp();
});

afterAll(async () => plane?.remove());

test("a restore that could not bring a custom resource back in any version names it and touches nothing", async () => {
  const { uid } = (await plane.get(`${group}/v1/wheels`, "one")).metadata;
  await plane.cluster.kubernetes.delete(plane.path(`${group}/v1/turbines`, "one"));
  await serveOnly("turbines", "v2");
  await someoneElseUses("turbines", "v2");
  const { errors } = await plane.restore({ state: "FAILED" });
  expect(errors).toEqual([expect.stringContaining(`turbines.${group} (${group}/v1`)]);
  expect((await plane.get(`${group}/v1/wheels`, "one")).metadata["uid"]).toBe(uid);
  await plane.cluster.kubernetes.delete(`/apis/${group}/v2/namespaces/default/turbines/other`);
});

test("a restore of a definition whose kind another one has taken names both and touches nothing", async () => {
  const { uid } = (await plane.get(`${group}/v1/shared`, "one")).metadata;
  await plane.kubectl("delete", `crd/wheels.${group}`);
  await plane.create(definition("hubs", { conversion: nobody, kind: kindOf("wheels") }));
  await eventually("the other one has the kind", async () => {
    const { status } = await definitionOf("hubs");
    return status?.acceptedNames?.kind === kindOf("wheels");
  });
  const { errors } = await plane.restore({ state: "FAILED" });
  const taken = `hubs.${group} has its resource wheels, kind Wheels, kind WheelsList`;
  expect(errors).toEqual([expect.stringContaining(`wheels.${group} could not be served: ${taken}`)]);
  expect((await plane.get(`${group}/v1/shared`, "one")).metadata["uid"]).toBe(uid);
  await plane.kubectl("delete", `crd/hubs.${group}`);
});

test("custom resources come back right after their definitions, which were gone", async () => {
  await someoneElseUses("shared", "v1");
  await serveOnly("shared", "v2");
  await serveOnly("changed", "v2");
  restored = await plane.restore({ state: "PARTIALLY_FAILED" });
  expect((await plane.get(`${group}/v1/wheels`, "one"))["spec"]).toEqual({ size: 1 });
  expect(restored.errors).toEqual([]);
});

test("a custom resource is restored while nothing converts between the versions of its kind", async () => {
  const { spec } = await definitionOf("converted");
  expect(spec.conversion).toMatchObject({
    strategy: "Webhook",
    webhook: { clientConfig: { service: { name: "none" } } },
  });
  expect((await plane.get(`${group}/v1/converted`, "one"))["spec"]).toEqual({ size: 1 });
});

test("a definition that others use stays as it is, and its objects go to the version it serves, with a warning", async () => {
  expect((await definitionOf("shared"))["spec"].versions.map(served)).toEqual(["v1 false", "v2 true"]);
  expect((await plane.get(`${group}/v2/shared`, "one"))["spec"]).toEqual({ size: 1 });
  expect(restored.warnings).toEqual([
    expect.stringContaining(`shared.${group} are restored as ${group}/v2`),
    expect.stringContaining(`CustomResourceDefinition shared.${group} is not as it was saved, and is left as it is`),
  ]);
});

test("a definition that was upgraded is put back with the storage version it had", async () => {
  const stored = (await definitionOf("turbines"))["spec"].versions.filter((it: { storage: boolean }) => it.storage);
  expect(stored).toMatchObject([{ name: "v1" }]);
  expect((await plane.get(`${group}/v1/turbines`, "one"))["spec"]).toEqual({ size: 1 });
});

test("a definition that only these namespaces use is put back, and its objects in their own version", async () => {
  expect((await definitionOf("changed"))["spec"].versions.map(served)).toEqual(["v1 true", "v2 true"]);
  expect((await plane.get(`${group}/v1/changed`, "one"))["spec"]).toEqual({ size: 1 });
});

function served({ name, served: isIt }: { name: string; served: boolean }): string {
  return `${name} ${isIt}`;
}

function definitionOf(plural: string): Promise<KubernetesObject> {
  return plane.cluster.kubernetes.get(clusterPath(definitions, `${plural}.${group}`));
}

async function serveOnly(plural: string, version: string): Promise<void> {
  const versions = (await definitionOf(plural))["spec"].versions.map((it: { name: string }) => ({
    ...it,
    served: it.name === version,
    storage: it.name === version,
  }));
  const path = clusterPath(definitions, `${plural}.${group}`);
  await plane.cluster.kubernetes.patch(path, { spec: { versions } });
  await eventually(`${plural} are served as ${version} only`, async () => {
    const isRight = ["v1", "v2"].map(async (it) => (await isServed(plural, it)) === (it === version));
    return (await Promise.all(isRight)).every(Boolean);
  });
}

async function isServed(plural: string, version: string): Promise<boolean> {
  const found = await plane.cluster.kubernetes.find(`/apis/${group}/${version}`);
  return (found?.["resources"] ?? []).some(({ name }: { name: string }) => name === plural);
}

async function someoneElseUses(plural: string, version: string): Promise<void> {
  const object = { apiVersion: `${group}/${version}`, kind: kindOf(plural), metadata: { name: "other" } };
  const path = `/apis/${group}/${version}/namespaces/default/${plural}`;
  // Right after a definition was changed the API server asks to come again.
  await eventually(`there are other ${plural}`, () =>
    plane.cluster.kubernetes.create(path, object).then(
      () => true,
      () => false,
    ),
  );
}

const group = "definitions.example.com";
const nobody = "conversion: { strategy: None }";
/** Nothing listens there: it comes with the control plane's own applications. */
const webhook = `conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions: [v1]
      clientConfig: { service: { namespace: definitions, name: none } }`;
const kinds = [
  { plural: "wheels", conversion: nobody },
  { plural: "converted", conversion: webhook },
  { plural: "shared", conversion: nobody },
  { plural: "changed", conversion: nobody },
  { plural: "turbines", conversion: webhook },
];

function kindOf(plural: string): string {
  return plural.charAt(0).toUpperCase() + plural.slice(1);
}

const definition = (plural: string, { conversion, kind = kindOf(plural) }: { conversion: string; kind?: string }) => `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: ${plural}.${group} }
spec:
  group: ${group}
  scope: Namespaced
  names: { kind: ${kind}, plural: ${plural} }
  ${conversion}
  versions:
    - { name: v1, served: true, storage: true, schema: ${schema} }
    - { name: v2, served: true, storage: false, schema: ${schema} }
`;
const schema = "{ openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }";

const custom = (plural: string) => `
apiVersion: ${group}/v1
kind: ${kindOf(plural)}
metadata: { name: one }
spec: { size: 1 }
`;
