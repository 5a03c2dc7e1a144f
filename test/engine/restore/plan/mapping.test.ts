import { expect, test } from "vitest";
import { mapped } from "../../../../engine/restore/source/mapping.ts";

const map = (namespace: string) => ({ cdp: "drill", "vault-system": "drill-vault" })[namespace] ?? namespace;
const metadata = { name: "own", namespace: "drill" };

test("subjects of a binding are those of the namespaces that they go to, by whichever of their names", () => {
  const type = { apiVersion: "rbac.authorization.k8s.io/v1", resource: "rolebindings" };
  const subjects = [
    { kind: "ServiceAccount", name: "api", namespace: "cdp" },
    { kind: "ServiceAccount", name: "api", namespace: "elsewhere" },
    { kind: "User", name: "system:serviceaccount:cdp:api" },
    { kind: "User", name: "alice" },
    { kind: "Group", name: "system:serviceaccounts:vault-system" },
    { kind: "Group", name: "system:serviceaccounts" },
  ];
  expect(mapped(type, { metadata, subjects }, map)["subjects"]).toEqual([
    { kind: "ServiceAccount", name: "api", namespace: "drill" },
    { kind: "ServiceAccount", name: "api", namespace: "elsewhere" },
    { kind: "User", name: "system:serviceaccount:drill:api" },
    { kind: "User", name: "alice" },
    { kind: "Group", name: "system:serviceaccounts:drill-vault" },
    { kind: "Group", name: "system:serviceaccounts" },
  ]);
});

test("a service is reached from within the cluster, at an address of its own; a headless one stays headless", () => {
  const type = { apiVersion: "v1", resource: "services" };
  const service = {
    metadata: { ...metadata, annotations: { "external-dns.alpha.kubernetes.io/hostname": "a.example", keep: "x" } },
    spec: {
      type: "LoadBalancer",
      clusterIP: "10.0.0.1",
      clusterIPs: ["10.0.0.1"],
      externalIPs: ["192.0.2.1"],
      loadBalancerIP: "192.0.2.2",
      loadBalancerClass: "x",
      loadBalancerSourceRanges: ["0.0.0.0/0"],
      allocateLoadBalancerNodePorts: true,
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 30_001,
      ports: [{ port: 80, nodePort: 30_000 }],
    },
  };
  const saved = structuredClone(service);
  expect(mapped(type, service, map)).toEqual({
    metadata: { ...metadata, annotations: { keep: "x" } },
    spec: { type: "ClusterIP", ports: [{ port: 80 }] },
  });
  expect(service).toEqual(saved);
  const headless = { metadata, spec: { clusterIP: "None", clusterIPs: ["None"] } };
  expect(mapped(type, headless, map)).toEqual(headless);
});

test("selectors of namespaces by their names select those that they go to", () => {
  const type = { apiVersion: "networking.k8s.io/v1", resource: "networkpolicies" };
  const name = "kubernetes.io/metadata.name";
  const peers = (one: string, values: readonly string[]) => [
    { namespaceSelector: { matchLabels: { [name]: one } } },
    { namespaceSelector: { matchExpressions: [{ key: name, operator: "In", values }] } },
  ];
  const policy = { metadata, spec: { ingress: [{ from: peers("cdp", ["vault-system", "monitoring"]) }] } };
  expect(mapped(type, policy, map)["spec"]).toEqual({
    ingress: [{ from: peers("drill", ["drill-vault", "monitoring"]) }],
  });
});

test("an object has no finalizers: what they stand for belongs to the one that it is a copy of", () => {
  const type = { apiVersion: "example.com/v1", resource: "databases" };
  expect(mapped(type, { metadata: { ...metadata, finalizers: ["example.com/drop"] } }, map)).toEqual({ metadata });
});
