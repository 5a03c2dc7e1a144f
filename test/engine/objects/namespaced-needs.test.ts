import { expect, test } from "vitest";
import { claimPrefixes, namespacedNeeds } from "../../../engine/objects/namespaced-needs.ts";

const of = (apiVersion: string, resource: string) => ({ apiVersion, resource });
const deployments = of("apps/v1", "deployments");
const statefulSets = of("apps/v1", "statefulsets");

/** What an object needs: `secrets/key`. */
const needs = (type: ReturnType<typeof of>, object: object) =>
  namespacedNeeds(type, { metadata: { name: "own", namespace: "cdp" }, ...object })
    .filter(({ from }) => from.name === "own")
    .map(({ to }) => `${to.resource}/${to.name}`)
    .sort();

test("a pod template needs its account, claims, and the settings and secrets of its containers and volumes", () => {
  const template = {
    spec: {
      serviceAccountName: "api",
      imagePullSecrets: [{ name: "registry" }],
      initContainers: [{ envFrom: [{ configMapRef: { name: "from-map" } }, { secretRef: { name: "from-secret" } }] }],
      containers: [
        {
          env: [
            { valueFrom: { secretKeyRef: { name: "env-secret", key: "a" } } },
            { valueFrom: { configMapKeyRef: { name: "env-map", key: "a" } } },
          ],
        },
      ],
      volumes: [
        { persistentVolumeClaim: { claimName: "data" } },
        { secret: { secretName: "mounted" } },
        { configMap: { name: "mounted" } },
        { projected: { sources: [{ secret: { name: "projected" } }, { configMap: { name: "projected" } }] } },
        { csi: { nodePublishSecretRef: { name: "driver" } } },
      ],
    },
  };
  expect(needs(deployments, { spec: { template } })).toEqual([
    "configmaps/env-map",
    "configmaps/from-map",
    "configmaps/mounted",
    "configmaps/projected",
    "persistentvolumeclaims/data",
    "secrets/driver",
    "secrets/env-secret",
    "secrets/from-secret",
    "secrets/mounted",
    "secrets/projected",
    "secrets/registry",
    "serviceaccounts/api",
    "serviceaccounts/api",
  ]);
});

test("a stateful set needs its service, and the claims that have its name", () => {
  const spec = { serviceName: "db", volumeClaimTemplates: [{ metadata: { name: "data" } }], template: { spec: {} } };
  expect(needs(statefulSets, { spec })).toEqual(["serviceaccounts/default", "services/db"]);
  expect(claimPrefixes(statefulSets, { metadata: { name: "own" }, spec })).toEqual(["data-own-"]);
});

test("an account needs the bindings that give it rights, and these their roles", () => {
  const binding = {
    metadata: { name: "own", namespace: "cdp" },
    roleRef: { kind: "Role", name: "reader" },
    subjects: [
      { kind: "ServiceAccount", name: "api", namespace: "cdp" },
      { kind: "ServiceAccount", name: "other", namespace: "elsewhere" },
    ],
  };
  const edges = namespacedNeeds(of("rbac.authorization.k8s.io/v1", "rolebindings"), binding);
  expect(edges.map(({ from, to }) => `${from.resource}/${from.name} ${to.resource}/${to.name}`)).toEqual([
    "rolebindings.rbac.authorization.k8s.io/own roles.rbac.authorization.k8s.io/reader",
    "serviceaccounts/api rolebindings.rbac.authorization.k8s.io/own",
  ]);
});

test("an ingress needs its services and certificates, and a setting nothing, whatever is in it", () => {
  const spec = {
    tls: [{ secretName: "tls" }],
    rules: [{ http: { paths: [{ backend: { service: { name: "console", port: { number: 80 } } } }] } }],
  };
  expect(needs(of("networking.k8s.io/v1", "ingresses"), { spec })).toEqual(["secrets/tls", "services/console"]);
  expect(needs(of("v1", "configmaps"), { data: { secretName: "x" } })).toEqual([]);
});
