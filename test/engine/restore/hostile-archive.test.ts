import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { PartResource } from "../../../engine/archive/format.ts";
import { Scene, texts } from "../simulated-control-plane.ts";
import { admin, bindings, everybody, type Forgery, forge, globally } from "./forgery.ts";

const rbac = "rbac.authorization.k8s.io/v1";
const secrets: PartResource = { apiVersion: "v1", kind: "Secret", resource: "secrets", namespaced: true };
const configMaps: PartResource = { apiVersion: "v1", kind: "ConfigMap", resource: "configmaps", namespaced: true };
const roles = globally(rbac, "ClusterRole", "clusterroles");
const webhooks = globally(
  "admissionregistration.k8s.io/v1",
  "MutatingWebhookConfiguration",
  "mutatingwebhookconfigurations",
);

const ours = { kind: "ServiceAccount", namespace: "cdp", name: "default" };
const inside = { name: "inside.x", clientConfig: { service: { namespace: "cdp", name: "x" } } };
const outside = { clientConfig: { service: { namespace: "kube-system", name: "x" } } };

const released = {
  labels: { "app.kubernetes.io/managed-by": "Helm" },
  annotations: { "meta.helm.sh/release-name": "x", "meta.helm.sh/release-namespace": "cdp" },
};

const forgeries: readonly (Forgery & { readonly what: string; readonly message: RegExp })[] = [
  {
    what: "a secret of a namespace outside the backup",
    type: secrets,
    object: { metadata: { name: "x", namespace: "kube-system" } },
    message:
      /secrets\.ndjson\.zst is damaged: line \d+: Secret x is for namespace "kube-system", which is not in the backup/,
  },
  {
    what: "a namespaced object of no namespace",
    type: secrets,
    object: { metadata: { name: "x" } },
    message: /Secret x is for namespace ""/,
  },
  {
    what: "a role binding for everybody elsewhere",
    type: { apiVersion: rbac, kind: "RoleBinding", resource: "rolebindings", namespaced: true },
    object: { metadata: { name: "x", namespace: "default" }, subjects: [everybody], roleRef: admin },
    message: /RoleBinding x is for namespace "default", which is not in the backup/,
  },
  {
    what: "a cluster role binding for everybody",
    type: bindings,
    object: { metadata: { name: "x" }, subjects: [everybody], roleRef: admin },
    message: /ClusterRoleBinding x is not needed by any object of the backup/,
  },
  {
    what: "a cluster role that nothing in the backup uses",
    type: roles,
    object: { metadata: { name: "x" }, rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }] },
    message: /ClusterRole x is not needed by any object of the backup/,
  },
  {
    what: "a cluster role that adds to the rights of whoever may edit",
    type: roles,
    object: {
      metadata: { name: "x", labels: { "rbac.authorization.k8s.io/aggregate-to-edit": "true" } },
      rules: [{ apiGroups: ["platform.cdp.example", "*"], resources: ["*"], verbs: ["*"] }],
    },
    message: /ClusterRole x is also for "anyone bound to ClusterRole edit", which is not trusted .* remove it/,
  },
  {
    what: "a cluster role binding for everybody that says it is of a Helm release",
    type: bindings,
    object: { metadata: { name: "x", ...released }, subjects: [everybody], roleRef: admin },
    message: /ClusterRoleBinding x is not needed by any object of the backup.*not trusted .* remove it/,
  },
  {
    what: "an admission policy that says it is of a Helm release",
    type: globally("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
    object: { metadata: { name: "x", ...released }, spec: {} },
    message: /MutatingAdmissionPolicy x is not needed by any object of the backup.*not trusted .* remove it/,
  },
  {
    what: "a webhook that sends what is written elsewhere",
    type: webhooks,
    object: { metadata: { name: "x" }, webhooks: [outside] },
    message: /MutatingWebhookConfiguration x is not needed by any object of the backup/,
  },
  {
    what: "a cluster role binding for one of the backup's accounts and everybody",
    type: bindings,
    object: { metadata: { name: "x" }, subjects: [ours, everybody], roleRef: admin },
    message:
      /clusterrolebindings\.ndjson\.zst is damaged: line \d+: ClusterRoleBinding x is also for "Group system:authenticated", which is not trusted .* remove it/,
  },
  {
    what: "a cluster role binding for accounts of the backup and of another namespace",
    type: bindings,
    object: { metadata: { name: "x" }, subjects: [ours, { ...ours, namespace: "default" }], roleRef: admin },
    message: /ClusterRoleBinding x is also for "ServiceAccount default\/default"/,
  },
  ...[
    { name: "leak.x", clientConfig: { url: "https://attacker.example" } },
    { name: "leak.x", clientConfig: { service: { namespace: "kube-system", name: "x" } } },
    { name: "leak.x" },
  ].map((leak) => ({
    what: `a webhook into the backup and ${JSON.stringify(leak)}`,
    type: webhooks,
    object: { metadata: { name: "x" }, webhooks: [inside, leak] },
    message: /line \d+: MutatingWebhookConfiguration x is also for "what webhook leak\.x calls", .* remove it/,
  })),
  {
    what: "a namespace outside the backup",
    type: globally("v1", "Namespace", "namespaces"),
    object: { metadata: { name: "kube-public" } },
    message: /Namespace kube-public is not needed by any object of the backup/,
  },
  {
    what: "a kind without namespace that no backup holds",
    type: globally("v1", "Node", "nodes"),
    object: { metadata: { name: "x" } },
    message: /a backup holds no nodes/,
  },
  {
    what: "a kind without namespace that says it has one",
    type: { ...roles, namespaced: true },
    object: { metadata: { name: "x", namespace: "cdp" } },
    message: /clusterroles\.rbac\.authorization\.k8s\.io are in no namespace|is for namespace/,
  },
  {
    what: "an object of another kind than its part",
    type: configMaps,
    object: { kind: "Secret", metadata: { name: "x", namespace: "cdp" } },
    message: /it is a "Secret" of "v1", not a ConfigMap of v1/,
  },
  {
    what: "an object of another group than its part",
    type: configMaps,
    object: { apiVersion: "apps/v1", metadata: { name: "x", namespace: "cdp" } },
    message: /it is a "ConfigMap" of "apps\/v1", not a ConfigMap of v1/,
  },
  ...["..", ".", "../secrets/x", "x%2f..", "", "x\ny"].map((name) => ({
    what: `the name ${JSON.stringify(name)}`,
    type: configMaps,
    object: { metadata: { name, namespace: "cdp" } },
    message: /its name is not allowed/,
  })),
  {
    what: "an object without metadata",
    type: configMaps,
    object: {},
    message: /it has no metadata/,
  },
  {
    what: "namespaces that are not the control plane's",
    manifest: { includedNamespaces: ["cdp", "vault-system", "kube-system"] },
    message:
      /the backup contains namespaces that are not the control plane's \(cdp, vault-system\): kube-system; .*--further-namespaces/,
  },
];

test("an archive with what no backup holds is refused, and nothing is touched", async () => {
  const scene = await Scene.open({ isEncrypted: false });
  const { crn } = await scene.backup();
  const folder = join(scene.folder, "archives/backups", crn.slice(-36));
  const whole = join(scene.folder, "whole");
  await cp(folder, whole, { recursive: true });
  const before = await scene.versions();
  for (const { what, message, ...forgery } of forgeries) {
    const archives = await scene.openArchives();
    await forge(archives, archives, `backups/${crn.slice(-36)}`, forgery);
    await scene.restart({ forgetful: true });
    const restore = await scene.restore(crn);
    expect([what, restore.state, texts(restore.errors)]).toEqual([what, "FAILED", [expect.stringMatching(message)]]);
    expect(scene.engine.getLogs(restore.crn)).toContain("nothing in the namespaces was touched");
    await rm(folder, { recursive: true });
    await cp(whole, folder, { recursive: true });
  }
  expect(await scene.versions()).toEqual(before);
});

const clusterRoleBindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const viewers = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" };

test.each([
  { what: "encrypted", isEncrypted: true, forgetful: true },
  { what: "made by the service itself", isEncrypted: false, forgetful: false },
])("what a control plane shares with others comes back from an archive that is $what", async (options) => {
  const scene = await Scene.open(options);
  await scene.create(clusterRoleBindings, {
    metadata: { name: "shared" },
    subjects: [ours, everybody],
    roleRef: viewers,
  });
  const { crn } = await scene.backup();
  await scene.remove(`${clusterRoleBindings}/shared`);
  await scene.restart(options);
  expect(texts((await scene.restore(crn)).errors)).toEqual([]);
  expect(await scene.get(`${clusterRoleBindings}/shared`)).toMatchObject({ subjects: [ours, everybody] });
});

test("an object that may be forged is taken out as docs/archive-format.md says, and the rest is restored", async () => {
  const scene = await Scene.open({ isEncrypted: false });
  await scene.create(clusterRoleBindings, {
    metadata: { name: "shared" },
    subjects: [ours, everybody],
    roleRef: viewers,
  });
  const { crn } = await scene.backup();
  await scene.remove(`${clusterRoleBindings}/shared`);
  await scene.restart({ forgetful: true });
  const [refusal = ""] = texts((await scene.restore(crn)).errors);
  const [, part, line] =
    /(objects\/\S+) is damaged: line (\d+): ClusterRoleBinding shared is also for/.exec(refusal) ?? [];
  const page = await readFile(join(import.meta.dirname, "../../../docs/archive-format.md"), "utf8");
  const [, commands = ""] = /^ {4}from=.*\n((?: {4}.*\n)+)/m.exec(page) ?? [];
  const from = crn.slice(-36);
  const to = randomUUID();
  execFileSync("sh", ["-ec", commands], {
    cwd: join(scene.folder, "archives/backups"),
    env: { ...process.env, HOME: scene.folder, from, to, part, line },
  });
  expect(await readFile(join(scene.folder, "taken-out.json"), "utf8")).toContain('"name":"shared"');
  await scene.restart();
  const restore = await scene.restore(crn.replace(from, to));
  expect(texts(restore.errors)).toEqual([]);
  expect(await scene.names(clusterRoleBindings)).not.toContain("shared");
});
