import { expect, test } from "vitest";
import type { JobContext } from "../../../engine/jobs/phase.ts";
import type { Cluster } from "../../../engine/kubernetes/cluster.ts";
import { OwnerLinks } from "../../../engine/restore/objects/owner-links.ts";

const configMap = { apiVersion: "v1", kind: "ConfigMap", resource: "configmaps", namespaced: true };
const node = { apiVersion: "v1", kind: "Node", resource: "nodes", namespaced: false, verbs: [], hasStatus: true };
const owner = (kind: string, uid: string) => ({ apiVersion: "v1", kind, name: `the-${kind.toLowerCase()}`, uid });
const named = (name: string, ...owners: readonly ReturnType<typeof owner>[]) => ({
  metadata: { name, namespace: "n", ownerReferences: [...owners] },
});
const dependent = (...owners: readonly ReturnType<typeof owner>[]) => named("dependent", ...owners);

/** A job that remembers its notes, and a cluster that remembers the owners it is given. */
function parts() {
  const values = new Map<string, unknown>();
  const warnings: string[] = [];
  const given: unknown[] = [];
  const context = {
    signal: new AbortController().signal,
    warn: (_code: string, namespace: string, text: string) => warnings.push(`${namespace}: ${text}`),
    notes: {
      get: (key: string) => values.get(key),
      set: (key: string, value: unknown) => values.set(key, JSON.parse(JSON.stringify(value))),
      setAll: (entries: Iterable<readonly [string, unknown]>) => {
        for (const [key, value] of entries) values.set(key, value);
      },
      entries: (prefix: string) => [...values].filter(([key]) => key.startsWith(prefix)).values(),
      clear: (prefix: string) =>
        [...values.keys()].filter((key) => key.startsWith(prefix)).map((key) => values.delete(key)),
    },
  } as unknown as JobContext;
  const cluster = {
    patch: async (_type: unknown, namespace: string, name: string, patch: { metadata: { ownerReferences: unknown } }) =>
      given.push([`${namespace}/${name}`, patch.metadata.ownerReferences]),
    get: async (_type: unknown, _namespace: string, name: string) =>
      name === "the-node" ? { metadata: { name, uid: "node-now" } } : undefined,
  } as unknown as Cluster;
  return { context, cluster, warnings, given };
}

test("an object whose owner is there already is created with it", () => {
  const { context } = parts();
  const links = new OwnerLinks(context, "");
  const object = dependent(owner("Secret", "old"));
  links.expect(object);
  links.restored("old", "new");
  links.restored("nobody's owner", "x");
  expect(links.ownersFor(configMap, object)).toEqual([owner("Secret", "new")]);
});

test("an object is created without an owner that comes later, and linked then, also by another process", async () => {
  const { context, cluster, given, warnings } = parts();
  const links = new OwnerLinks(context, "");
  const object = dependent(owner("Secret", "old"), owner("Service", "old-2"));
  links.expect(object);
  links.restored("old-2", "new-2");
  expect(links.ownersFor(configMap, object)).toEqual([owner("Service", "new-2")]);
  await links.linkPending(cluster, [], 4, false);
  expect(given).toEqual([]);
  const afterRestart = new OwnerLinks(context, "");
  afterRestart.restored("old", "new");
  const afterAnother = new OwnerLinks(context, "");
  await afterAnother.linkPending(cluster, [], 4, false);
  expect(given).toEqual([["n/dependent", [owner("Secret", "new"), owner("Service", "new-2")]]]);
  await afterAnother.linkPending(cluster, [], 4, true);
  expect(given).toHaveLength(1);
  expect(warnings).toEqual([]);
});

test.each([
  { named: "example.com/v1beta1", served: "example.com/v1", isFound: true },
  { named: "example.com/v1", served: "example.com/v1beta1", isFound: true },
  { named: "example.com/v1", served: "example.org/v1", isFound: false },
  { named: "v1", served: "example.com/v1", isFound: false },
])("an owner named as of $named is found: $isFound, where its kind is discovered as $served", async (versions) => {
  const { context, cluster, given } = parts();
  const links = new OwnerLinks(context, "");
  const reference = { ...owner("Node", "node-then"), apiVersion: versions.named };
  links.ownersFor(configMap, dependent(reference));
  await links.linkPending(cluster, [{ ...node, apiVersion: versions.served }], 4, true);
  expect(given).toEqual(versions.isFound ? [["n/dependent", [{ ...reference, uid: "node-now" }]]] : []);
});

test("an owner that was there all the time, in no namespace, is found in the end; one that is nowhere is reported and left out", async () => {
  const { context, cluster, given, warnings } = parts();
  const links = new OwnerLinks(context, "");
  const object = dependent(owner("Node", "node-then"), owner("Secret", "lost"));
  links.expect(object);
  expect(links.ownersFor(configMap, object)).toEqual([]);
  await links.linkPending(cluster, [node], 4, false);
  expect(given).toEqual([]);
  await links.linkPending(cluster, [node], 4, true);
  expect(given).toEqual([["n/dependent", [owner("Node", "node-now")]]]);
  expect(warnings).toEqual([
    "n: ConfigMap dependent was owned by Secret the-secret, which does not exist: it no longer has this owner",
  ]);
});

test("an object that is linked leaves those alone whose names begin with its own", async () => {
  const { context, cluster, given } = parts();
  const links = new OwnerLinks(context, "");
  const objects = [named("ingest", owner("Secret", "old")), named("ingest-plan", owner("Service", "old-2"))];
  for (const object of objects) links.expect(object);
  for (const object of objects) links.ownersFor(configMap, object);
  links.restored("old", "new");
  await links.linkPending(cluster, [], 4, false);
  links.restored("old-2", "new-2");
  await links.linkPending(cluster, [], 4, true);
  expect(given).toEqual([
    ["n/ingest", [owner("Secret", "new")]],
    ["n/ingest-plan", [owner("Service", "new-2")]],
  ]);
});

test("a rollback keeps its links apart from the restore's", () => {
  const { context } = parts();
  const forward = new OwnerLinks(context, "");
  const object = dependent(owner("Secret", "old"));
  forward.expect(object);
  forward.restored("old", "made-by-the-restore");
  const back = new OwnerLinks(context, "back/");
  back.expect(object);
  expect(back.ownersFor(configMap, object)).toEqual([]);
});

const replicaSets = { apiVersion: "apps/v1", kind: "ReplicaSet", resource: "replicasets", namespaced: true };
const deployments = { ...node, apiVersion: "apps/v1", kind: "Deployment", resource: "deployments", namespaced: true };

test.each([
  { selector: { app: "web", remade: "1" }, isMade: true, deleted: ["n/web-1"], linked: [] },
  { selector: { app: "web", remade: "1" }, isMade: false, deleted: [], linked: [] },
  { selector: { app: "web" }, isMade: true, deleted: [], linked: ["n/web-1"] },
])(
  "a revision whose deployment stays another one, selecting $selector, made by the restore: $isMade, goes with its deployment or is linked",
  async ({ selector, isMade, deleted, linked }) => {
    const { context } = parts();
    const reference = { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "then", controller: true };
    const labels = { app: "web", "pod-template-hash": "1" };
    const revision = { metadata: { name: "web-1", namespace: "n", uid: "made", labels, ownerReferences: [reference] } };
    const calls = { deleted: [] as string[], linked: [] as string[] };
    const cluster = {
      get: async (_type: unknown, _namespace: string, name: string) =>
        name === "web" ? { metadata: { name, uid: "now" }, spec: { selector: { matchLabels: selector } } } : revision,
      patch: async (_type: unknown, namespace: string, name: string) => calls.linked.push(`${namespace}/${name}`),
      delete: async (_type: unknown, namespace: string, name: string) => calls.deleted.push(`${namespace}/${name}`),
    } as unknown as Cluster;
    const links = new OwnerLinks({ ...context, info: () => {} }, "");
    links.expect(revision);
    if (isMade) links.ownersFor(replicaSets, revision);
    else links.left(replicaSets, revision, "");
    await links.linkPending(cluster, [deployments], 4, true);
    await links.linkPending(cluster, [deployments], 4, true);
    expect(calls).toEqual({ deleted, linked });
  },
);
