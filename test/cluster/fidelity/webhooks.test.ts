import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { pauseProgram } from "../support/programs.ts";
import { aControlPlane, clusterPath, type SmallControlPlane } from "./support.ts";
import { type AdmissionRequest, startWebhook, type WebhookServer } from "./webhook-server.ts";

const namespace = "fidelity-webhooks";
const configurations = "admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const volumes = "v1/persistentvolumes";
const own = clusterPath(configurations, "fidelity-own");
const elsewhere = clusterPath(configurations, "fidelity-elsewhere");

const manifests = `
apiVersion: v1
kind: ConfigMap
metadata: { name: refused }
data: { a: b }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: accepted }
data: { a: b }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: app }
spec:
  replicas: 1
  selector: { matchLabels: { app: app } }
  template: { metadata: { labels: { app: app } }, spec: { containers: [{ name: main, image: main }] } }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: data }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
`;
let plane: SmallControlPlane;
let webhook: WebhookServer;
/** Nobody answers for it. */
const gone = { service: { namespace, name: "gone" } };
/** By which `configure` sees whether a webhook is called. */
const probed = { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE"] };
/** What the webhook elsewhere says; it sees creations of config maps and changes of deployments only. */
let refuse: (request: AdmissionRequest) => string | undefined;

beforeAll(async () => {
  webhook = await startWebhook((request) => refuse(request));
  plane = await aControlPlane(namespace, manifests, { flags: ["--snapshot-timeout=10s"] });
  await plane.until("apps/v1/deployments", "app", ({ status }) => status?.availableReplicas === 1);
  await plane.until("v1/persistentvolumeclaims", "data", ({ status }) => status?.phase === "Bound");
});

beforeEach(() => {
  refuse = () => undefined;
});

afterEach(async () => plane.cluster.kubernetes.delete(own));

afterAll(async () => {
  await plane?.cluster.kubernetes.delete(elsewhere);
  await plane?.remove();
  webhook?.close();
});

test("a webhook into the namespaces that nobody answers blocks neither deletion nor restore, and comes back last", async () => {
  const service = { namespace, name: "gone", path: "/validate" };
  const rules = [
    { apiGroups: [""], apiVersions: ["*"], resources: ["configmaps", "pods", "serviceaccounts"], operations: ["*"] },
    { apiGroups: ["apps"], apiVersions: ["*"], resources: ["*"], operations: ["*"] },
  ];
  await configure("fidelity-own", { clientConfig: { service }, rules });
  await plane.backUp();
  const before = await plane.cluster.kubernetes.get(own);

  const { crn, warnings, errors } = await plane.restore();
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  const configuration = await plane.cluster.kubernetes.get(own);
  expect(configuration.metadata.uid).toBe(before.metadata.uid);
  expect(configuration["webhooks"][0]).toMatchObject({ failurePolicy: "Fail", clientConfig: { service } });
  expect((await plane.get("apps/v1/deployments", "app"))["status"].availableReplicas).toBe(1);
  expect(await plane.log({ crn })).toMatch(/ready[\s\S]*restored ValidatingWebhookConfiguration fidelity-own/);
});

test("of a configuration that serves others, too, and is newer than the backup, only the control plane's webhook is away", async () => {
  await plane.backUp();
  await configure("fidelity-own", { clientConfig: gone, rules: [probed] });
  const { kubernetes } = plane.cluster;
  const [hook] = (await kubernetes.get(own))["webhooks"];
  const others = { ...hook, name: "others.example.com", clientConfig: webhook.clientConfig };
  await kubernetes.patch(own, { webhooks: [others, hook] });
  const before = await kubernetes.get(own);

  const { crn, warnings, errors } = await plane.restore({ state: "PARTIALLY_FAILED" });
  expect(errors).toEqual([]);
  expect(warnings).toEqual([expect.stringContaining("is newer than the backup and calls service")]);
  const after = await kubernetes.get(own);
  expect(after["webhooks"]).toEqual(before["webhooks"]);
  expect(after.metadata.uid).toBe(before.metadata.uid);
  expect(await plane.log({ crn })).toContain("took fidelity-own.example.com out of validatingwebhookconfigurations");
});

test("a webhook of the control plane that guards volumes comes back when none is left to be changed", async () => {
  const before = await volumeName();
  await plane.cluster.kubernetes.patch(clusterPath(volumes, before), { metadata: { labels: { tier: "gold" } } });
  const guarded = { apiGroups: [""], apiVersions: ["v1"], resources: ["persistentvolumes"], operations: ["UPDATE"] };
  await configure("fidelity-own", { clientConfig: gone, rules: [guarded, probed] });
  await plane.backUp();

  const { crn, warnings, errors } = await plane.restore();
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  const volume = await plane.cluster.kubernetes.get(clusterPath(volumes, await volumeName()));
  expect(volume.metadata).toMatchObject({ labels: { tier: "gold" } });
  expect(volume.metadata.name).not.toBe(before);
  expect(await plane.log({ crn })).toMatch(/given back[\s\S]*restored ValidatingWebhookConfiguration fidelity-own/);
});

test("a webhook of the control plane that guards snapshots comes back after a restore that failed, and nothing is left over", async () => {
  await plane.backUp();
  const guarded = { apiGroups: ["snapshot.storage.k8s.io"], apiVersions: ["v1"], resources: ["volumesnapshots"] };
  await configure("fidelity-own", { clientConfig: gone, rules: [{ ...guarded, operations: ["DELETE"] }, probed] });

  const { restoreCrn: crn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await eventually("the snapshots have been looked at", async () =>
    (await plane.log({ crn })).includes("STOPPING_APPS"),
  );
  const resume = await pauseProgram(plane.cluster, "csi-provisioner");
  const { errors } = await plane.service.waitForJob(crn, { state: "FAILED" }).finally(resume);
  expect(errors).toMatchObject([
    { text: expect.stringContaining("were not bound within 10 s: data") },
    { text: "the restore failed and was rolled back: the control plane is as before" },
  ]);
  expect(await plane.list("snapshot.storage.k8s.io/v1/volumesnapshots")).toEqual([]);
  expect((await plane.cluster.kubernetes.get(own))["webhooks"]).toHaveLength(1);
});

test("a webhook elsewhere that comes to accept an object in time stops nothing", async () => {
  await configureElsewhere();
  await plane.backUp();
  await plane.kubectl("delete", "configmap", "refused");
  let refusals = 0;
  refuse = ({ name, dryRun }) =>
    name === "refused" && (dryRun || ++refusals <= 2) ? "the policy engine is not ready" : undefined;

  const { warnings, errors } = await plane.restore();
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect(refusals).toBe(3);
  expect((await plane.get("v1/configmaps", "refused"))["data"]).toEqual({ a: "b" });
});

test("a webhook elsewhere that refuses one object is an error on that object, and the rest is restored", async () => {
  await configureElsewhere();
  await plane.backUp();
  await plane.kubectl("delete", "configmap", "refused");
  let tries = 0;
  refuse = ({ name, dryRun }) => {
    if (name !== "refused") return undefined;
    if (!dryRun) tries++;
    return "not by the policy of this cluster";
  };

  const { warnings, errors } = await plane.restore({ state: "FAILED" });
  expect(warnings).toEqual([]);
  expect(errors).toEqual([expect.any(String), expect.stringMatching(/^not everything was restored\. .*safety\//)]);
  expect(errors[0]).toMatch(/ConfigMap refused .*not by the policy of this cluster/);
  expect(tries).toBeGreaterThan(2);
  expect(await plane.find("v1/configmaps", "refused")).toBeUndefined();
  expect((await plane.get("v1/configmaps", "accepted"))["data"]).toEqual({ a: "b" });
  expect((await plane.get("apps/v1/deployments", "app"))["status"].availableReplicas).toBe(1);
});

test("a webhook elsewhere that lets one workload neither be started nor be stopped harms no other one", async () => {
  await configureElsewhere();
  await plane.backUp();
  let isStopped = false;
  const policy = "nobody changes this one";
  refuse = ({ name, operation, object, dryRun }) => {
    if (name !== "app" || operation !== "UPDATE" || dryRun) return undefined;
    isStopped ||= object?.["spec"].replicas === 0;
    return isStopped && object?.["spec"].replicas === 1 ? policy : undefined;
  };
  const { errors } = await plane.restore({ state: "FAILED" });
  expect(errors).toEqual([
    expect.stringMatching(`^Deployment ${namespace}/app was not started: .*${policy}`),
    expect.stringMatching(/^not everything was restored\. .*safety\//),
  ]);
  expect((await plane.get("v1/configmaps", "accepted"))["data"]).toEqual({ a: "b" });

  refuse = () => undefined;
  await plane.patch("apps/v1/deployments", "app", { spec: { replicas: 1 } });
  await plane.until("apps/v1/deployments", "app", ({ status }) => status?.availableReplicas === 1);
  const { metadata } = await plane.get("v1/configmaps", "accepted");
  refuse = ({ name, operation }) => (name === "app" && operation === "UPDATE" ? policy : undefined);
  const restore = await plane.restore({ state: "FAILED" });
  expect(restore.errors).toEqual([
    expect.stringMatching(`^Deployment ${namespace}/app cannot be stopped: PATCH .*${policy}; allow that`),
  ]);
  expect(await plane.log(restore)).toContain("nothing in the namespaces was touched");
  expect((await plane.get("v1/configmaps", "accepted")).metadata.uid).toBe(metadata.uid);
  expect((await plane.get("apps/v1/deployments", "app"))["status"].availableReplicas).toBe(1);
});

async function volumeName(): Promise<string> {
  return (await plane.get("v1/persistentvolumeclaims", "data"))["spec"].volumeName;
}

async function configureElsewhere(): Promise<void> {
  const rules = [
    { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE"] },
    { apiGroups: ["apps"], apiVersions: ["v1"], resources: ["deployments"], operations: ["UPDATE"] },
  ];
  await configure("fidelity-elsewhere", { clientConfig: webhook.clientConfig, rules });
}

/** Guards this namespace, and waits until the API server heeds it. */
async function configure(name: string, hook: object): Promise<void> {
  const { kubernetes } = plane.cluster;
  if (await kubernetes.find(clusterPath(configurations, name))) return;
  await kubernetes.create(clusterPath(configurations), {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name },
    webhooks: [
      {
        name: `${name}.example.com`,
        failurePolicy: "Fail",
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        timeoutSeconds: 2,
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        ...hook,
      },
    ],
  });
  refuse = () => "not now";
  const probe = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "probe" } };
  await eventually("the webhook is called", () =>
    kubernetes.create(`${plane.path("v1/configmaps")}?dryRun=All`, probe).then(
      () => false,
      () => true,
    ),
  );
  refuse = () => undefined;
}
