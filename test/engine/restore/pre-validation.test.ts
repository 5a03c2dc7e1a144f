import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Access } from "../../../simulator/http/reviews.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";

const nothing = () => false;

test("a restore that cannot succeed says why and touches nothing", async () => {
  let forbidden: (access: Access) => boolean = nothing;
  const scene = await Scene.open({ isAllowed: (access) => !forbidden(access) });
  const { simulator } = scene;
  const { crn } = await scene.backup();
  const before = await scene.versions();
  const restoreFails = async (...errors: readonly RegExp[]) => {
    const restore = await scene.restore(crn);
    simulator.intercept(undefined);
    expect(texts(restore.errors)).toEqual(errors.map((error) => expect.stringMatching(error)));
    expect(restore.state).toBe("FAILED");
    const log = scene.engine.getLogs(restore.crn);
    for (const { code, text } of restore.errors) {
      expect(code).toMatch(/^DRS-[A-Z]\d{3}$/);
      expect(log).toContain(` ERROR PRE_VALIDATION ${code} ${text}\n`);
    }
    expect(log).toContain("PRE_VALIDATION DRS-R001 nothing in the namespaces was touched\n");
    expect(log).not.toContain("STOPPING_APPS");
    expect(await scene.versions()).toEqual(before);
    expect(await scene.names(contents)).toEqual([]);
    expect(scene.archives("safety")).toEqual([]);
    expect(simulator.volumes.snapshotHandles().length).toBeGreaterThan(0);
  };

  forbidden = ({ verb, resource, namespace }) =>
    verb === "*" || (verb === "delete" && resource === "secrets" && namespace === "cdp") || verb === "patch";
  await restoreFails(
    /lacks rights that a restore needs: .*delete, patch secrets in cdp; .*patch .*deployments\.apps.* in cdp/,
  );
  // Without the namespace of the vault: the account's rights there were bound in it.
  forbidden = ({ verb, resource, namespace }) =>
    verb === "*" ||
    (verb === "delete" && resource === "secrets" && namespace === "cdp") ||
    namespace === "vault-system";
  simulator.intercept(({ method, path }) =>
    method === "GET" && path === "/api/v1/namespaces/vault-system"
      ? { status: 404, body: { kind: "Status", code: 404, reason: "NotFound" } }
      : undefined,
  );
  await restoreFails(
    /^namespace vault-system does not exist, and with it the role binding that gives the service its rights there: create it and apply deploy\/kubernetes\.yaml again; the service's account lacks rights that a restore needs: delete secrets in cdp$/,
  );
  forbidden = nothing;

  simulator.intercept(({ path }) =>
    path === "/apis/policy/v1" ? { status: 404, body: { kind: "Status", code: 404, reason: "NotFound" } } : undefined,
  );
  await restoreFails(
    /does not serve kinds that are in the backup: poddisruptionbudgets\.policy \(policy\/v1, whose server does not answer\)/,
  );

  const unconverted = "conversion webhook for platform.cdp.example/v1beta1, Kind=Environment failed: Post: refused";
  simulator.intercept(({ method, path }) =>
    method === "GET" && path.endsWith("/cdp/environments")
      ? { status: 500, body: { kind: "Status", code: 500, message: unconverted } }
      : undefined,
  );
  await restoreFails(
    /environments\.platform\.cdp\.example of cdp cannot be read: conversion webhook .* failed: .*; start the webhook that converts them/,
  );

  simulator.intercept(({ path }) =>
    path.endsWith("/selfsubjectreviews")
      ? { status: 201, body: { status: { userInfo: { username: "system:serviceaccount:cdp:drs" } } } }
      : undefined,
  );
  await restoreFails(/this service runs in namespace cdp, which the restore would empty/);

  const folder = join(scene.folder, "archives", "backups", crn.slice(-36), "objects");
  const file = join(folder, readdirSync(folder).find((name) => name.includes("configmaps")) ?? "");
  const bytes = readFileSync(file);
  writeFileSync(
    file,
    bytes.map((byte, index) => (index === bytes.length >> 1 ? byte ^ 1 : byte)),
  );
  await restoreFails(/configmaps\.ndjson\.zst/);
  writeFileSync(file, bytes);

  const [snapshotHandle = ""] = simulator.volumes.snapshotHandles();
  const finalizers = ["snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"];
  const spec = { deletionPolicy: "Delete", driver: "sim.csi.drs.example", source: { snapshotHandle } };
  const volumeSnapshotRef = { namespace: "default", name: "nobody" };
  await scene.create(contents, { metadata: { name: "theirs", finalizers }, spec: { ...spec, volumeSnapshotRef } });
  await simulator.settled();
  await scene.remove(`${contents}/theirs`);
  await scene.until(() => !simulator.volumes.snapshotHandles().includes(snapshotHandle));
  await restoreFails(/snapshots of this backup cannot be used: (cdp|vault-system)\/[a-z0-9-]+: .*/);
});

test("a restore that would make roles with more rights than the service has names the rights that it lacks", async () => {
  const scene = await Scene.open();
  const { crn } = await scene.backup();
  const group = "/apis/rbac.authorization.k8s.io/v1";
  const [role = ""] = await scene.names(`${group}/namespaces/cdp/roles`);
  const [binding = ""] = await scene.names(`${group}/namespaces/cdp/rolebindings`);
  await scene.change(`${group}/namespaces/cdp/roles/${role}`, { rules: [] });
  await scene.change(`${group}/namespaces/cdp/rolebindings/${binding}`, { subjects: [] });
  const before = await scene.versions();
  scene.simulator.intercept(({ method, path, query }) => {
    const resource = /\/(roles|rolebindings|clusterroles|clusterrolebindings)(\/|$)/.exec(path)?.[1] ?? "";
    return method !== "GET" && path.startsWith(group) && query.has("dryRun")
      ? { status: 403, body: escalationOf(resource) }
      : undefined;
  });
  const restore = await scene.restore(crn);
  expect(texts(restore.errors)).toEqual([
    expect.stringMatching(
      /lacks rights that a restore needs, because it creates roles that grant more than the account has: /,
    ),
  ]);
  const [error = ""] = texts(restore.errors);
  expect(error).toMatch(new RegExp(`escalate roles\\.rbac\\.authorization\\.k8s\\.io in cdp \\(for .*Role ${role}`));
  expect(error).toMatch(
    new RegExp(`bind roles\\.rbac\\.authorization\\.k8s\\.io in cdp \\(for .*RoleBinding ${binding}`),
  );
  expect(error).not.toContain("ClusterRole "); // those are there as they were, and would not be written
  expect(await scene.versions()).toEqual(before);
});

/** The API server's words: https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/registry/rbac/validation/rule.go */
const escalationOf = (resource: string) => ({
  kind: "Status",
  code: 403,
  reason: "Forbidden",
  message:
    `${resource}.rbac.authorization.k8s.io "x" is forbidden: user "system:serviceaccount:drs:drs" (groups=["system:authenticated"]) ` +
    'is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
});
