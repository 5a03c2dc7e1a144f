import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { documentedCommands } from "../support/documented-commands.ts";
import { eventually } from "../support/eventually.ts";
import { type ConversionServer, startConversion } from "./conversion-server.ts";
import { aControlPlane, clusterPath, type SmallControlPlane } from "./support.ts";

const namespace = "stored-versions";
const group = "stored.example.com";
const deployments = "apps/v1/deployments";
const definitionPath = clusterPath("apiextensions.k8s.io/v1/customresourcedefinitions", `gears.${group}`);

let plane: SmallControlPlane;
let conversion: ConversionServer;

beforeAll(async () => {
  plane = await aControlPlane(namespace, converter);
  const isUp = async () => ((await plane.find(deployments, "converter"))?.["spec"].replicas ?? 0) > 0;
  conversion = await startConversion(`converter.${namespace}.svc`, plane.cluster.folder, isUp);
  await plane.create(definition(conversion));
  await eventually("gears are served", () => plane.create(gear("one")).then(always, never));
});

afterAll(async () => {
  await plane?.remove();
  conversion?.close();
});

test("custom resources in a version that only the control plane's own webhook converts are restored", async () => {
  await serveTheNewer();
  await plane.backUp();
  const { uid } = (await plane.get(`${group}/v2/gears`, "one")).metadata;

  const restore = await plane.restore();
  const after = await plane.get(`${group}/v2/gears`, "one");
  expect(after["spec"]).toEqual({ teeth: 12 });
  expect(after.metadata["uid"]).toBe(uid);
  expect(await plane.log(restore)).toContain(`1 gears.${group} are in their storage version`);
});

test("when that webhook is down, the documented commands let a restore bring it back", async () => {
  await serveBoth();
  await plane.create(gear("two"));
  await serveTheNewer();
  await plane.backUp();
  const stopped = (await plane.get(deployments, "converter")).metadata["uid"];
  await plane.patch(deployments, "converter", { spec: { replicas: 0 } });
  // The API server forgets what it had converted before.
  await plane.cluster.kubernetes.patch(definitionPath, { spec: { names: { shortNames: ["gr"] } } });
  await eventually("gears cannot be read", () => plane.list(`${group}/v2/gears`).then(never, always));

  const { errors } = await plane.restore({ state: "FAILED" });
  expect(errors).toEqual([
    expect.stringMatching(/^gears\.\S+ of \S+ cannot be read: conversion webhook .*"A converter that is down"/),
  ]);
  expect((await plane.get(deployments, "converter")).metadata["uid"]).toBe(stopped);

  await convertNothing();
  await plane.restore();
  expect((await plane.get(`${group}/v2/gears`, "two"))["spec"]).toEqual({ teeth: 12 });
  expect((await plane.get(deployments, "converter"))["spec"].replicas).toBe(1);
  expect((await plane.cluster.kubernetes.get(definitionPath))["spec"].conversion.strategy).toBe("Webhook");
});

/** Both versions are served, and the older one is stored from now on. */
async function serveBoth(): Promise<void> {
  await serve({ served: true, storage: true }, { storage: false });
  await eventually("v1 is served again", () => plane.list(`${group}/v1/gears`).then(always, never));
}

/** The newer version is stored from now on; what is stored in the older one stays so, and is not served as such. */
async function serveTheNewer(): Promise<void> {
  await serve({ served: false, storage: false }, { storage: true });
  await eventually("only v2 is served", async () => {
    const { status } = await plane.cluster.kubernetes.get(definitionPath);
    return status.storedVersions.length === 2 && (await plane.find(`${group}/v1/gears`, "one")) === undefined;
  });
}

async function serve(older: object, newer: object): Promise<void> {
  const { spec } = await plane.cluster.kubernetes.get(definitionPath);
  const [v1, v2] = spec.versions;
  await plane.cluster.kubernetes.patch(definitionPath, {
    spec: {
      versions: [
        { ...v1, ...older },
        { ...v2, ...newer },
      ],
    },
  });
}

/** Runs the commands of docs/operations.md as they stand, but for the definition's name. */
async function convertNothing(): Promise<void> {
  const commands = await documentedCommands("A converter that is down");
  const script = commands.replaceAll("<name>", `gears.${group}`);
  await promisify(execFile)("bash", ["-ec", script], {
    cwd: plane.cluster.folder,
    env: plane.cluster.environment,
  });
}

function always(): boolean {
  return true;
}

function never(): boolean {
  return false;
}

const converter = `
apiVersion: v1
kind: Service
metadata: { name: converter }
spec: { type: ExternalName, externalName: localhost }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: converter }
spec:
  replicas: 1
  selector: { matchLabels: { app: converter } }
  template: { metadata: { labels: { app: converter } }, spec: { containers: [{ name: main, image: main }] } }
`;

const definition = ({ port, caBundle }: ConversionServer) => `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: gears.${group} }
spec:
  group: ${group}
  scope: Namespaced
  names: { kind: Gear, plural: gears }
  conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions: [v1]
      clientConfig: { service: { namespace: ${namespace}, name: converter, port: ${port} }, caBundle: ${caBundle} }
  versions:
    - { name: v1, served: true, storage: true, schema: ${schema} }
    - { name: v2, served: true, storage: false, schema: ${schema} }
`;
const schema = "{ openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }";

const gear = (name: string) => `
apiVersion: ${group}/v1
kind: Gear
metadata: { name: ${name} }
spec: { teeth: 12 }
`;
