import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { aControlPlane, clusterPath, type SmallControlPlane } from "../fidelity/support.ts";
import { startWebhook, type WebhookServer } from "../fidelity/webhook-server.ts";
import { eventually } from "../support/eventually.ts";

const namespace = "faults-policies";
const deployments = "apps/v1/deployments";
const brokers = "policies.example.com/v1/brokers";
const apps = Array.from({ length: 8 }, (_, index) => `app-${index + 1}`);

const deployment = (name: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: 2
  selector: { matchLabels: { app: ${name} } }
  template: { metadata: { labels: { app: ${name} } }, spec: { hostNetwork: true, containers: [{ name: c, image: x }] } }
`;
const definition = (size: object) => ({
  group: "policies.example.com",
  scope: "Namespaced",
  names: { plural: "brokers", kind: "Broker", singular: "broker" },
  versions: [
    {
      name: "v1",
      served: true,
      storage: true,
      schema: {
        openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: { size } } } },
      },
    },
  ],
});
const manifests = `
apiVersion: v1
kind: Secret
metadata: { name: password }
stringData: { password: hunter2 }
---
${apps.map(deployment).join("---")}`;

const notAll = expect.stringMatching(
  /^not everything was restored\. The objects that were there before are in folder /,
);

let plane: SmallControlPlane;
let webhook: WebhookServer;
const undo: (() => Promise<void>)[] = [];

beforeAll(async () => {
  webhook = await startWebhook(() => "not in this house");
  plane = await aControlPlane(namespace, manifests, { flags: ["--apps-start-timeout=20s"] });
  await allAreUp();
  await plane.backUp();
});

afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

afterAll(async () => {
  webhook?.close();
  await plane?.cluster.kubectl("delete", "--ignore-not-found", "crd", "brokers.policies.example.com");
  await plane?.remove();
});

test("a policy that takes no new workload harms none of those that are there, and what is missing is named", async () => {
  await policy({ apiGroups: ["apps"], resources: ["deployments"], operations: ["CREATE"] }, "false", deployments);
  const before = await uids();
  await plane.patch("v1/secrets", "password", { stringData: { password: "other" } });
  const inPlace = await plane.restore();
  expect(inPlace).toMatchObject({ warnings: [], errors: [] });
  expect(await uids()).toEqual(before);
  await allAreUp();

  await plane.cluster.kubernetes.delete(plane.path(deployments, "app-1"));
  const one = await plane.restore({ state: "FAILED" });
  expect(one.errors).toEqual([
    expect.stringMatching(/Deployment app-1 was not restored: .*denied request: the house says no/),
    notAll,
  ]);
  expect(await plane.log(one)).toMatch(/would refuse 1 of \d+ objects, and the restore goes on without them/);
  expect(await uids()).toEqual(before.filter(([name]) => name !== "app-1"));
  await allAreUp(apps.slice(1));

  for (const name of apps.slice(1, 6)) await plane.cluster.kubernetes.delete(plane.path(deployments, name));
  const six = await plane.restore({ state: "FAILED" });
  expect(six.errors).toEqual([
    expect.stringMatching(/would refuse objects of this backup, 6 of them, .*app-1: .*app-6: .*the house says no/),
  ]);
  expect(await plane.log(six)).toContain("nothing in the namespaces was touched");
  await liftPolicies();
  await plane.restore();
  await allAreUp();
});

test("a workload that a policy takes only with its replicas is made with them", async () => {
  await policy(
    { apiGroups: ["apps"], resources: ["deployments"], operations: ["CREATE"] },
    "object.spec.replicas >= 2",
    deployments,
  );
  for (const name of apps.slice(0, 6)) await plane.cluster.kubernetes.delete(plane.path(deployments, name));
  expect(await plane.restore()).toMatchObject({ warnings: [], errors: [] });
  await allAreUp();
});

test("a policy on secrets is known before, in words that hold none of them, and what is there stays", async () => {
  await policy({ apiGroups: [""], resources: ["secrets"], operations: ["UPDATE"] }, "false", "v1/secrets", "password");
  const before = await plane.get("v1/secrets", "password");
  await liftPolicies();
  await plane.patch("v1/secrets", "password", { stringData: { password: "another" } });
  await policy({ apiGroups: [""], resources: ["secrets"], operations: ["UPDATE"] }, "false", "v1/secrets", "password");
  const { errors, crn } = await plane.restore({ state: "FAILED" });
  expect(errors).toEqual([
    expect.stringMatching(
      /Secret password is not as saved, and stays as it is: .*ValidatingAdmissionPolicy '.*' denied$/,
    ),
    notAll,
  ]);
  expect(await plane.log({ crn })).toMatch(/would refuse 1 of \d+ objects.*Secret .*password: /);
  const after = await plane.get("v1/secrets", "password");
  expect(after.metadata["uid"]).toBe(before.metadata["uid"]);
  expect(Buffer.from(after["data"].password, "base64").toString()).toBe("another");
});

test("nothing is stopped where Pod Security, or a webhook elsewhere, would take no pod of what runs", async () => {
  const restricted = ["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"];
  await plane.cluster.kubectl(...restricted);
  const lifted = await plane.restore(); // the backup is from before the label, which goes before pods are started
  expect(lifted).toMatchObject({ warnings: [], errors: [] });
  expect(await plane.log(lifted)).toMatch(/could not be tried: .*under Pod Security level \(none\).*restricted now/);
  await allAreUp();

  const before = await pods();
  await plane.cluster.kubectl(...restricted);
  undo.push(async () => {
    await plane.cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce-");
    await plane.backUp();
  });
  await plane.backUp();
  const secured = await plane.restore({ state: "FAILED" });
  expect(secured.errors).toEqual([
    expect.stringMatching(/^existing objects would be lost, .*Deployment .*app-1: .*violates PodSecurity "restricted/),
  ]);
  expect(await pods()).toEqual(before);
  for (const step of undo.splice(0)) await step();

  await configureWebhook();
  const guarded = await plane.restore({ state: "FAILED" });
  expect(guarded.errors).toEqual([
    expect.stringMatching(/^existing objects would be lost, .*Deployment .*app-1: .*not in this house/),
  ]);
  expect(await plane.log(guarded)).toContain("nothing in the namespaces was touched");
  expect(await pods()).toEqual(before);
});

test("one custom resource that its tightened definition does not take is the one error, in place and in an empty cluster", async () => {
  const name = "brokers.policies.example.com";
  const definitions = "apiextensions.k8s.io/v1/customresourcedefinitions";
  const { kubernetes } = plane.cluster;
  await kubernetes.create(clusterPath(definitions), {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name },
    spec: definition({ type: "string" }),
  });
  await eventually("brokers are served", () => made(plane.path(brokers), broker("old", "huge")));
  await kubernetes.create(plane.path(brokers), broker("new", "small"));
  await kubernetes.patch(clusterPath(definitions, name), {
    spec: definition({ type: "string", enum: ["small", "large"] }),
  });
  await eventually("the definition is tightened", async () => {
    const isTaken = await made(`${plane.path(brokers)}?dryRun=All`, broker("probe", "huge"));
    return !isTaken;
  });
  await plane.backUp();
  expect(await plane.restore()).toMatchObject({ warnings: [], errors: [] });
  expect((await plane.get(brokers, "old"))["spec"]).toEqual({ size: "huge" });

  const refused = expect.stringMatching(/Broker .*old was not restored: .*Unsupported value: "huge"/);
  await kubernetes.delete(plane.path(brokers, "old"));
  await kubernetes.delete(plane.path(brokers, "new"));
  expect((await plane.restore({ state: "FAILED" })).errors).toEqual([refused, notAll]);
  expect((await plane.get(brokers, "new"))["spec"]).toEqual({ size: "small" });

  await plane.cluster.kubectl("delete", "namespace", namespace);
  expect((await plane.restore({ state: "FAILED" })).errors).toEqual([refused, notAll]);
  expect((await plane.get(brokers, "new"))["spec"]).toEqual({ size: "small" });
  await allAreUp();
});

function broker(name: string, size: string): object {
  return { apiVersion: "policies.example.com/v1", kind: "Broker", metadata: { name }, spec: { size } };
}

/** Puts a policy on this namespace in force: what `expression` does not hold for is denied. */
async function policy(rule: object, expression: string, kind: string, changed?: string): Promise<void> {
  const group = "admissionregistration.k8s.io/v1";
  const policies = `${group}/validatingadmissionpolicies`;
  const bindings = `${group}/validatingadmissionpolicybindings`;
  const { kubernetes } = plane.cluster;
  const name = `${namespace}-house`;
  const validations = [{ expression, message: "the house says no", reason: "Forbidden" }];
  const resourceRules = [{ apiVersions: ["v1"], ...rule }];
  await kubernetes.create(clusterPath(policies), {
    apiVersion: group,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name },
    spec: { failurePolicy: "Fail", matchConstraints: { resourceRules }, validations },
  });
  const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": namespace } };
  await kubernetes.create(clusterPath(bindings), {
    apiVersion: group,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name },
    spec: { policyName: name, validationActions: ["Deny"], matchResources: { namespaceSelector } },
  });
  const isDenied = async () =>
    changed === undefined
      ? !(await made(`${plane.path(kind)}?dryRun=All`, probe(kind)))
      : kubernetes.patch(`${plane.path(kind, changed)}?dryRun=All`, { metadata: { labels: { a: "b" } } }).then(
          () => false,
          () => true,
        );
  await eventually("the policy is in force", isDenied);
  undo.push(async () => {
    await kubernetes.delete(clusterPath(bindings, name));
    await kubernetes.delete(clusterPath(policies, name));
    await eventually("the policy is lifted", async () => !(await isDenied()));
  });
}

async function liftPolicies(): Promise<void> {
  for (const step of undo.splice(0).toReversed()) await step();
}

/** A webhook that takes no pod in this namespace, and is not served from it. */
async function configureWebhook(): Promise<void> {
  const path = "admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
  const name = `${namespace}-webhook`;
  const { kubernetes } = plane.cluster;
  await kubernetes.create(clusterPath(path), {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name },
    webhooks: [
      {
        name: "pods.house.example.com",
        clientConfig: webhook.clientConfig,
        rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }],
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
      },
    ],
  });
  undo.push(() => kubernetes.delete(clusterPath(path, name)));
  await eventually("the webhook is called", async () => !(await made(`${plane.path("v1/pods")}?dryRun=All`, aPod)));
}

const aPod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "probe" },
  spec: { containers: [{ name: "c", image: "x" }] },
};

/** A deployment that no test's policy takes. */
function probe(kind: string): object {
  const template = { metadata: { labels: { app: "probe" } }, spec: { containers: [{ name: "c", image: "x" }] } };
  const spec = { replicas: 0, selector: { matchLabels: { app: "probe" } }, template };
  expect(kind).toBe(deployments);
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "probe" }, spec };
}

/** Whether the API server takes an object. */
async function made(path: string, object: object): Promise<boolean> {
  return plane.cluster.kubernetes.create(path, object).then(
    () => true,
    () => false,
  );
}

async function uids(): Promise<readonly (readonly [string, unknown])[]> {
  return (await plane.list(deployments)).map(({ metadata }) => [metadata.name, metadata["uid"]] as const);
}

async function pods(): Promise<readonly string[]> {
  return (await plane.list("v1/pods")).map(({ metadata }) => metadata.name);
}

async function allAreUp(names: readonly string[] = apps): Promise<void> {
  for (const name of names) await plane.until(deployments, name, ({ status }) => status?.availableReplicas === 2);
}
