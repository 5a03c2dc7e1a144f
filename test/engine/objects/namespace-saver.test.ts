import { expect, test } from "vitest";
import type { KubernetesObject } from "../../../engine/kubernetes/kubernetes-object.ts";
import { resourceName } from "../../../engine/kubernetes/kubernetes-object.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const { signal } = new AbortController();

/** The lines of a backup's archive by kind. */
async function archive(scene: Scene, crn: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const reader = await (await scene.openArchives()).open(`backups/${crn.slice(-36)}`, signal);
  const kinds = new Map<string, readonly string[]>();
  for (const part of reader.parts)
    kinds.set(resourceName(part), (await Array.fromAsync(reader.objects(part, signal))).map(String));
  return kinds;
}

const namesOf = (lines: readonly string[] = []) =>
  lines.map((line) => (JSON.parse(line) as KubernetesObject).metadata.name).sort();

test("an archive holds the namespaces' objects and the cluster-scoped ones that these need, and no others", async () => {
  const scene = await Scene.open({ pageLimit: 2 });
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" };
  const theirs = [{ kind: "ServiceAccount", name: "x", namespace: "default" }];
  await scene.create(`${rbac}/clusterroles`, { metadata: { name: "theirs" }, rules: [] });
  await scene.create(`${rbac}/clusterrolebindings`, {
    metadata: { name: "theirs" },
    subjects: theirs,
    roleRef: { ...roleRef, name: "theirs" },
  });
  await scene.create(`${rbac}/clusterrolebindings`, {
    metadata: { name: "all-of-ours" },
    subjects: [{ kind: "Group", name: "system:serviceaccounts:cdp" }],
    roleRef,
  });
  await scene.create("/api/v1/namespaces/default/configmaps", { metadata: { name: "elsewhere" } });
  const { crn, state } = await scene.backup();
  expect(state).toBe("COMPLETED");
  const saved = await archive(scene, crn);
  const clusterScoped = {
    namespaces: ["cdp", "vault-system"],
    "customresourcedefinitions.apiextensions.k8s.io": [
      "environments.platform.cdp.example",
      "workspaces.platform.cdp.example",
    ],
    "priorityclasses.scheduling.k8s.io": ["cdp-critical"],
    "storageclasses.storage.k8s.io": ["standard"],
    "volumesnapshotclasses.snapshot.storage.k8s.io": ["standard"],
    "clusterroles.rbac.authorization.k8s.io": ["cdp-controller"],
    "clusterrolebindings.rbac.authorization.k8s.io": ["all-of-ours", "cdp-controller"],
    "validatingwebhookconfigurations.admissionregistration.k8s.io": ["cdp-environments"],
  };
  for (const [kind, names] of Object.entries(clusterScoped))
    expect([kind, namesOf(saved.get(kind))]).toEqual([kind, names]);
  expect(saved.get("persistentvolumes")).toHaveLength(3);
  expect([...saved.keys()]).not.toContain("pods");
  expect(namesOf(saved.get("replicasets.apps"))).toHaveLength(namesOf(saved.get("deployments.apps")).length);
  expect([...saved.keys()]).not.toContain("mutatingwebhookconfigurations.admissionregistration.k8s.io");
  const configMaps = namesOf(saved.get("configmaps"));
  expect(configMaps).toContain("cdp-api-config");
  expect(configMaps).not.toContain("kube-root-ca.crt");
  expect(configMaps).not.toContain("elsewhere");
  const environment = saved.get("environments.platform.cdp.example")?.find((line) => line.includes('"production"'));
  expect(environment).toMatch(
    /^\{"kind":"Environment","apiVersion":"platform\.cdp\.example\/v1",|"kind":"Environment"/,
  );
  expect(environment).toContain('"serial":9007199254740993');
  expect(environment).toContain('"ratio":0.50');
});

test("endpoints that a service without a selector keeps are saved, as nobody makes them again", async () => {
  const scene = await Scene.open();
  const spec = { ports: [{ port: 5432 }] };
  const core = "/api/v1/namespaces/cdp";
  const subsets = [{ addresses: [{ ip: "192.0.2.7" }], ports: [{ port: 5432 }] }];
  const slice = { addressType: "IPv4", endpoints: [{ addresses: ["192.0.2.7"] }], ports: [{ port: 5432 }] };
  for (const [name, selector] of [
    ["selecting", { app: "nobody" }],
    ["unselecting", undefined],
  ] as const) {
    await scene.create(`${core}/services`, { metadata: { name }, spec: { ...spec, ...(selector && { selector }) } });
    const annotations = { "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-02T03:04:05Z" };
    await scene.create(`${core}/endpoints`, { metadata: { name, annotations }, subsets });
    for (const controller of ["endpointslice-controller", "endpointslicemirroring-controller"]) {
      const labels = {
        "kubernetes.io/service-name": name,
        "endpointslice.kubernetes.io/managed-by": `${controller}.k8s.io`,
      };
      const metadata = { name: `${name}-${controller}`, labels };
      await scene.create("/apis/discovery.k8s.io/v1/namespaces/cdp/endpointslices", { metadata, ...slice });
    }
  }
  const { crn, errors } = await scene.backup();
  expect(texts(errors)).toEqual([]);
  const saved = await archive(scene, crn);
  expect(namesOf(saved.get("endpoints"))).toEqual(["unselecting"]);
  expect(namesOf(saved.get("endpointslices.discovery.k8s.io"))).toEqual(["unselecting-endpointslice-controller"]);
});

test("a list that loses its place while it is saved has every object once", async () => {
  const scene = await Scene.open({ pageLimit: 2 });
  let pages = 0;
  scene.simulator.intercept(({ path, query }) => {
    const isNextPage = path.endsWith("/configmaps") && query.get("continue") !== null;
    if (isNextPage && pages++ % 2 === 0) scene.simulator.expireContinueTokens();
    return undefined;
  });
  const { crn, errors } = await scene.backup();
  expect(texts(errors)).toEqual([]);
  const all = [
    ...(await scene.names("/api/v1/namespaces/cdp/configmaps")),
    ...(await scene.names("/api/v1/namespaces/vault-system/configmaps")),
  ];
  expect(pages).toBeGreaterThan(2);
  const saved = await archive(scene, crn);
  expect(namesOf(saved.get("configmaps"))).toEqual(all.filter((name) => name !== "kube-root-ca.crt").sort());
});

test("an API that does not answer is a warning: its objects are not in the backup", async () => {
  const scene = await Scene.open();
  scene.simulator.intercept(({ path }) =>
    path === "/apis/policy/v1" ? { status: 404, body: { kind: "Status", code: 404, reason: "NotFound" } } : undefined,
  );
  const backup = await scene.backup();
  expect(backup.state).toBe("PARTIALLY_FAILED");
  expect(texts(backup.warnings)).toEqual([
    "the API policy/v1 does not answer: objects of its kinds are not in this backup",
  ]);
});
