import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type ConversionServer, startConversion } from "./conversion-server.ts";
import { aControlPlane, clusterPath, type SmallControlPlane } from "./support.ts";

const namespace = "stored-versions";
const group = "stored.example.com";
const definitions = "apiextensions.k8s.io/v1/customresourcedefinitions";
const deployments = "apps/v1/deployments";

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
  const path = clusterPath(definitions, `gears.${group}`);
  const { spec } = await plane.cluster.kubernetes.get(path);
  const [v1, v2] = spec.versions;
  const versions = [
    { ...v1, served: false, storage: false },
    { ...v2, storage: true },
  ];
  await plane.cluster.kubernetes.patch(path, { spec: { versions } });
  await eventually("gears are stored as v2", async () => {
    const { status } = await plane.cluster.kubernetes.get(path);
    return status.storedVersions.length === 2 && (await plane.find(`${group}/v1/gears`, "one")) === undefined;
  });
  await plane.backUp();
  const { uid } = (await plane.get(`${group}/v2/gears`, "one")).metadata;

  const restore = await plane.restore();
  const after = await plane.get(`${group}/v2/gears`, "one");
  expect(after["spec"]).toEqual({ teeth: 12 });
  expect(after.metadata["uid"]).not.toBe(uid);
  expect(await plane.log(restore)).toContain(`1 gears.${group} are in their storage version`);
});

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
