import { afterAll, beforeAll, expect, test } from "vitest";
import { aControlPlane, clusterPath, type Outcome, type SmallControlPlane } from "./support.ts";

const roles = "rbac.authorization.k8s.io/v1/roles";
const bindings = "rbac.authorization.k8s.io/v1/rolebindings";
const clusterRoles = "rbac.authorization.k8s.io/v1/clusterroles";
const clusterBindings = "rbac.authorization.k8s.io/v1/clusterrolebindings";

let plane: SmallControlPlane;
let restored: Outcome;

beforeAll(async () => {
  plane = await aControlPlane("roles", manifests);
  await plane.backUp();
  await plane.kubectl("delete", `role/${portal}`, "clusterrole/roles:own", "clusterrolebinding/roles:own");
  await plane.kubectl("delete", "rolebinding/switched", "clusterrolebinding/roles:switched");
  await plane.create(switched);
  for (const name of ["roles:ours-alone", "roles:others-too"])
    await plane.cluster.kubernetes.patch(clusterPath(clusterRoles, name), { rules: [] });
  restored = await plane.restore({ state: "PARTIALLY_FAILED" });
});

afterAll(async () => plane?.remove());

test("roles and bindings come back, also under names with colons", async () => {
  expect((await plane.get(roles, portal))["rules"]).toMatchObject([{ resources: ["configmaps"] }]);
  expect((await plane.get(bindings, portal))["roleRef"].name).toBe(portal);
  const kubernetes = plane.cluster.kubernetes;
  expect(await rulesOf("roles:own")).toMatchObject([{ verbs: ["get"] }]);
  expect((await kubernetes.get(clusterPath(clusterBindings, "roles:own")))["roleRef"].name).toBe("roles:own");
});

test("an account may do after a restore what it might do before", async () => {
  expect(await can("list", "configmaps")).toBe("yes");
  expect(await can("get", "nodes")).toBe("yes");
});

test("a binding that points to another role meanwhile points to its own again", async () => {
  expect((await plane.get(bindings, "switched"))["roleRef"].name).toBe(portal);
  const binding = await plane.cluster.kubernetes.get(clusterPath(clusterBindings, "roles:switched"));
  expect(binding["roleRef"].name).toBe("roles:own");
});

test("a cluster role that only these namespaces use is put back, one that others use is left with a warning", async () => {
  expect(await rulesOf("roles:ours-alone")).toMatchObject([{ resources: ["pods"] }]);
  expect(await rulesOf("roles:others-too")).toBeNull();
  expect(restored).toMatchObject({ errors: [], warnings: [expect.stringContaining("ClusterRole roles:others-too")] });
});

async function can(...what: string[]): Promise<string> {
  return (await plane.kubectl("auth", "can-i", ...what, "--as=system:serviceaccount:roles:portal")).trim();
}

async function rulesOf(clusterRole: string): Promise<unknown> {
  return (await plane.cluster.kubernetes.get(clusterPath(clusterRoles, clusterRole)))["rules"];
}

const portal = "portal:settings:reader";
const rbac = "apiVersion: rbac.authorization.k8s.io/v1";
const group = "apiGroup: rbac.authorization.k8s.io";
const subjects = "subjects: [{ kind: ServiceAccount, name: portal, namespace: roles }]";

const manifests = `
apiVersion: v1
kind: ServiceAccount
metadata: { name: portal }
---
${rbac}
kind: Role
metadata: { name: "${portal}" }
rules: [{ apiGroups: [""], resources: [configmaps], verbs: [get, list] }]
---
${rbac}
kind: RoleBinding
metadata: { name: "${portal}" }
roleRef: { ${group}, kind: Role, name: "${portal}" }
${subjects}
---
${rbac}
kind: RoleBinding
metadata: { name: switched }
roleRef: { ${group}, kind: Role, name: "${portal}" }
${subjects}
---
${rbac}
kind: ClusterRole
metadata: { name: "roles:own" }
rules: [{ apiGroups: [""], resources: [nodes], verbs: [get] }]
---
${rbac}
kind: ClusterRoleBinding
metadata: { name: "roles:own" }
roleRef: { ${group}, kind: ClusterRole, name: "roles:own" }
${subjects}
---
${rbac}
kind: ClusterRoleBinding
metadata: { name: "roles:switched" }
roleRef: { ${group}, kind: ClusterRole, name: "roles:own" }
${subjects}
---
${rbac}
kind: ClusterRole
metadata: { name: "roles:ours-alone" }
rules: [{ apiGroups: [""], resources: [pods], verbs: [get] }]
---
${rbac}
kind: RoleBinding
metadata: { name: ours-alone }
roleRef: { ${group}, kind: ClusterRole, name: "roles:ours-alone" }
${subjects}
---
${rbac}
kind: ClusterRole
metadata: { name: "roles:others-too" }
rules: [{ apiGroups: [""], resources: [pods], verbs: [get] }]
---
${rbac}
kind: RoleBinding
metadata: { name: others-too }
roleRef: { ${group}, kind: ClusterRole, name: "roles:others-too" }
${subjects}
---
${rbac}
kind: ClusterRoleBinding
metadata: { name: "roles:others-too" }
roleRef: { ${group}, kind: ClusterRole, name: "roles:others-too" }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: somebody }]
`;

const switched = `
${rbac}
kind: RoleBinding
metadata: { name: switched }
roleRef: { ${group}, kind: ClusterRole, name: view }
subjects: []
---
${rbac}
kind: ClusterRoleBinding
metadata: { name: "roles:switched" }
roleRef: { ${group}, kind: ClusterRole, name: view }
${subjects}
`;
