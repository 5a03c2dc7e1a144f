import { expect, test } from "vitest";
import type { DiscoveredResource } from "../../../engine/kubernetes/discovery.ts";
import { isOfRelease, mayBelong } from "../../../engine/objects/belongings.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const release = (namespace: string) => ({
  labels: { "app.kubernetes.io/managed-by": "Helm" },
  annotations: { "meta.helm.sh/release-name": "x", "meta.helm.sh/release-namespace": namespace },
});
const priorityClasses = "/apis/scheduling.k8s.io/v1/priorityclasses";
const drivers = "/apis/storage.k8s.io/v1/csidrivers";
const ingressClasses = "/apis/networking.k8s.io/v1/ingressclasses";
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const issuers = "/apis/certs.example.com/v1/issuers";
const roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

const definitionOfIssuers = {
  metadata: { name: "issuers.certs.example.com" },
  spec: {
    group: "certs.example.com",
    scope: "Cluster",
    names: { plural: "issuers", singular: "issuer", kind: "Issuer", listKind: "IssuerList" },
    versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
  },
};

/** Makes one object and one of others of each of some kinds. */
async function populate(scene: Scene): Promise<void> {
  await scene.create(definitions, definitionOfIssuers);
  await scene.until(() =>
    scene.names(issuers).then(
      () => true,
      () => false,
    ),
  );
  const groupRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole" };
  for (const [namespace, name] of [
    ["cdp", "ours"],
    ["default", "theirs"],
  ] as const) {
    const metadata = { name, ...release(namespace) };
    await scene.create(priorityClasses, { metadata, value: 7 });
    await scene.create(drivers, { metadata, spec: { attachRequired: false } });
    await scene.create(issuers, { metadata, spec: { ca: "x" } });
    await scene.create(roles, { metadata, rules: [] });
    await scene.create(bindings, {
      metadata,
      subjects: [{ kind: "Group", name: "operators", apiGroup: "rbac.authorization.k8s.io" }],
      roleRef: { ...groupRef, name },
    });
  }
  await scene.create(ingressClasses, { metadata: { name: "by-name" }, spec: { controller: "x" } });
  await scene.create(ingressClasses, { metadata: { name: "not-named" }, spec: { controller: "x" } });
  for (const path of [drivers, priorityClasses])
    await scene.create(path, { metadata: { name: "by-label", labels: { "part-of": "cdp" } }, value: 8, spec: {} });
}

/** Without the warning of the sample's finalizer that nobody removes. */
const ofBelongings = (messages: Parameters<typeof texts>[0]) =>
  texts(messages).filter((text) => !text.includes("Environment sandbox was held by"));

const all = [priorityClasses, drivers, ingressClasses, issuers, roles, bindings, definitions];
const further = [
  { resource: "ingressclasses.networking.k8s.io", name: "by-name" },
  { resource: "*", label: "part-of=cdp" },
];
const specOf = ({ spec, value, rules, roleRef }: Record<string, unknown>) => ({ spec, value, rules, roleRef });

test("what a Helm release of the control plane has installed, and what is asked for, is saved and restored", async () => {
  const scene = await Scene.open({ furtherObjects: further });
  await populate(scene);
  const { crn, errors, warnings } = await scene.backup();
  expect(texts([...errors, ...warnings])).toEqual([]);
  const ours = (path: string) =>
    path === definitions ? ["issuers.certs.example.com"] : ["ours", "by-name", "by-label"];
  const before = new Map<string, object>();
  for (const path of all)
    for (const name of await scene.names(path))
      if (ours(path).includes(name)) before.set(`${path}/${name}`, specOf((await scene.get(`${path}/${name}`)) ?? {}));
  expect(before.size).toBe(9);
  for (const path of before.keys()) if (!path.startsWith(definitions)) await scene.remove(path);
  await scene.remove(`${definitions}/issuers.certs.example.com`);
  for (const path of all.filter((kind) => ![issuers, definitions].includes(kind)))
    for (const name of ["theirs", "not-named"])
      if ((await scene.names(path)).includes(name)) await scene.remove(`${path}/${name}`);
  const restore = await scene.restore(crn);
  expect(texts(restore.errors)).toEqual([]);
  expect(ofBelongings(restore.warnings)).toEqual([]);
  for (const [path, spec] of before) expect([path, specOf((await scene.get(path)) ?? {})]).toEqual([path, spec]);
  for (const path of all) expect(await scene.names(path)).not.toContain("theirs");
  expect(await scene.names(ingressClasses)).not.toContain("not-named");
});

test("what a Helm release has installed is put back where it has changed, what others may use is left, with a warning", async () => {
  const scene = await Scene.open({ furtherObjects: further });
  await populate(scene);
  const { crn } = await scene.backup();
  for (const name of ["ours", "by-label"]) await scene.change(`${drivers}/${name}`, { spec: { attachRequired: true } });
  const { errors, warnings } = await scene.restore(crn);
  expect(texts(errors)).toEqual([]);
  expect(ofBelongings(warnings)).toEqual([expect.stringContaining("CSIDriver by-label is not as it was")]);
  expect(await scene.get(`${drivers}/ours`)).toMatchObject({ spec: { attachRequired: false } });
});

test("an archive that somebody else may have made brings nothing that only a label says belongs to it", async () => {
  const scene = await Scene.open({ isEncrypted: false });
  await scene.create(drivers, { metadata: { name: "ours", ...release("cdp") }, spec: {} });
  const { crn } = await scene.backup();
  await scene.restart({ forgetful: true });
  const { state, errors } = await scene.restore(crn);
  expect([state, texts(errors)]).toEqual([
    "FAILED",
    [expect.stringMatching(/CSIDriver ours is not needed by .*, that is not trusted .*: remove it by hand/)],
  ]);
});

test("kinds that the account may not look through are logged, and what is asked for and is not there", async () => {
  const scene = await Scene.open({
    isAllowed: ({ resource, verb }) => verb !== "*" && resource !== "csidrivers",
    furtherObjects: [
      { resource: "priorityclasses.scheduling.k8s.io", name: "gone" },
      { resource: "widgets.example.com" },
    ],
  });
  const { crn, warnings } = await scene.backup();
  expect(texts(warnings)).toEqual([
    "--further-objects names objects that do not exist: priorityclasses.scheduling.k8s.io/gone, widgets.example.com",
  ]);
  expect(scene.engine.getLogs(crn)).toContain("the account may not get and list csidrivers.storage.k8s.io");
});

test("role bindings elsewhere that the control plane's accounts have are logged", async () => {
  const scene = await Scene.open();
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" };
  for (const [name, namespace] of [
    ["for-us", "cdp"],
    ["for-others", "default"],
  ] as const)
    await scene.create("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", {
      metadata: { name },
      subjects: [{ kind: "ServiceAccount", namespace, name: "x" }],
      roleRef,
    });
  const { crn, warnings } = await scene.backup();
  expect(texts(warnings)).toEqual([]);
  expect(scene.engine.getLogs(crn)).toMatch(/not saved, .*: role bindings for accounts of these, default\/for-us$/m);
});

test.each([
  ["configmaps", "use --further-namespaces instead"],
  ["nodes", "which belong to this cluster only"],
])("--further-objects %s is refused before anything is saved", async (resource, message) => {
  const scene = await Scene.open({ furtherObjects: [{ resource }] });
  const { state, errors } = await scene.backup();
  expect([state, texts(errors)]).toEqual(["FAILED", [expect.stringContaining(message)]]);
});

test.each([
  [release("cdp"), true],
  [release("default"), false],
  [{ ...release("cdp"), labels: {} }, false],
  [{ labels: release("cdp").labels }, false],
])("of a release of the control plane is what has %o: %s", (metadata, isSo) => {
  expect(isOfRelease(new Set(["cdp"]), { metadata: { name: "x", ...metadata } })).toBe(isSo);
});

test.each([
  ["v1", "nodes", false],
  ["v1", "persistentvolumes", false],
  ["storage.k8s.io/v1", "csidrivers", true],
  ["storage.k8s.io/v1", "csinodes", false],
  ["snapshot.storage.k8s.io/v1", "volumesnapshotcontents", false],
  ["example.com/v1", "nodes", true],
])("%s %s may belong to a control plane: %s", (apiVersion, resource, isSo) => {
  const type: DiscoveredResource = { apiVersion, resource, kind: "X", namespaced: false, verbs: [], hasStatus: true };
  expect(mayBelong(type)).toBe(isSo);
  expect(mayBelong({ ...type, namespaced: true })).toBe(false);
});
