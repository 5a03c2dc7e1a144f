import { expect, test } from "vitest";
import { ChangedByCluster } from "../../../engine/restore/objects/changed-by-cluster.ts";

const kind = (kind: string, resource: string) => ({
  apiVersion: "v1",
  kind,
  resource,
  namespaced: true,
  hasStatus: true,
});
const [pods, services, accounts] = [
  kind("Pod", "pods"),
  kind("Service", "services"),
  kind("ServiceAccount", "serviceaccounts"),
];

/** The warnings of what was sent and what the API server has of it. */
function warnings(...looks: readonly (readonly [ReturnType<typeof kind>, object, object])[]): readonly string[] {
  const told: string[] = [];
  const changed = new ChangedByCluster();
  looks.forEach(([type, sent, made], index) => {
    const metadata = { name: `o-${index}`, namespace: "cdp" };
    changed.look(type, { metadata, ...sent }, { metadata: { ...metadata, uid: "1", managedFields: [] }, ...made });
  });
  const context = {
    warn: (_code: string | undefined, namespace: string, text: string) => told.push(`${namespace}: ${text}`),
    notes: { set() {} },
  };
  changed.report(context, { notesPrefix: "" });
  return told;
}

const container = { name: "main", image: "main" };
const limits = { resources: { limits: { cpu: "1" } } };

test("an object that has what was sent is not reported, whatever the server sets", () => {
  const spec = { containers: [container] };
  expect(warnings([pods, { spec }, { spec: { ...spec, nodeName: "node-0" }, status: { phase: "Pending" } }])).toEqual(
    [],
  );
});

test("objects that a limit range or webhook has changed are reported together, with the fields and without their values", () => {
  const changed = [
    pods,
    { spec: { containers: [container] } },
    { spec: { containers: [{ ...container, ...limits }] } },
  ] as const;
  expect(warnings(changed, changed)).toEqual([
    "cdp: Pod o-0, o-1 are not exactly as saved: the cluster changed spec.containers.0.resources; " +
      "see which webhook, policy, limit range or default does that",
  ]);
});

test("addresses are reported on their own, and accounts are merged with what is there", () => {
  expect(
    warnings(
      [services, { spec: { clusterIP: "10.0.0.1" } }, { spec: { clusterIP: "10.0.0.2" } }],
      [accounts, {}, { imagePullSecrets: [{ name: "a" }] }],
    ),
  ).toEqual([]);
});
