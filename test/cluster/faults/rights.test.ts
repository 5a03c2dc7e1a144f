import { afterAll, beforeAll, expect, test } from "vitest";
import type { SmallControlPlane } from "../fidelity/support.ts";
import type { TestCluster } from "../support/cluster.ts";
import { sharedCluster } from "../support/shared-cluster.ts";
import { Account } from "./account.ts";
import {
  aRunningControlPlane,
  differencesSince,
  logged,
  reaches,
  release,
  takePictureOf,
  touchedSince,
} from "./scene.ts";

/** A cluster role that may look at everything. */
const reader = "faults-permissions-reader";
/** A cluster role that may do everything but grant others what it may not do itself. */
const writer = "faults-permissions-writer";
/** A role that may more than the writer, and its binding. */
const powerfulRole = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: powerful }
rules: [{ apiGroups: [""], resources: [serviceaccounts], verbs: [impersonate] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: powerful }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: powerful }
subjects: [{ kind: ServiceAccount, name: default, namespace: faults-permissions }]
`;
let cluster: TestCluster;
let account: Account;
let plane: SmallControlPlane;

beforeAll(async () => {
  cluster = await sharedCluster();
  await cluster.kubectl("create", "clusterrole", reader, "--verb=get,list,watch", "--resource=*.*");
  const verbs = "get,list,watch,create,update,patch,delete";
  await cluster.kubectl("create", "clusterrole", writer, `--verb=${verbs}`, "--resource=*.*");
  account = await Account.create("faults-permissions-service", cluster);
  plane = await aRunningControlPlane("faults-permissions", [`--kubeconfig=${await account.kubeconfig()}`]);
  await plane.create(powerfulRole);
  await plane.backUp();
  await release(plane, 2);
});

afterAll(async () => {
  await plane?.remove();
  await account?.delete();
  await cluster?.kubectl("delete", "clusterrole", reader, writer);
});

test("without the rights that they need neither backup nor restore touches anything, and both name them", async () => {
  await account.bind(reader);
  const before = await takePictureOf(plane);
  const { backupCrn } = await plane.service.api("createBackup");
  const backup = await plane.service.waitForJob(backupCrn, { state: "FAILED" });
  const restore = await plane.restore({ state: "FAILED" });
  expect(JSON.stringify(backup.errors)).toMatch(/lacks rights that a backup needs: .*create, delete volumesnapshots/);
  expect(restore.errors[0]).toMatch(
    /lacks rights that a restore needs: .*create, delete, patch, update configmaps, .* in faults-permissions/,
  );
  expect(await touchedSince(before, plane)).toEqual([]);
});

test("a restore that would make roles which grant more than the service may names the rights that it lacks", async () => {
  const group = "rbac.authorization.k8s.io/v1";
  await plane.patch(`${group}/roles`, "powerful", { rules: [] });
  await plane.patch(`${group}/rolebindings`, "powerful", { subjects: [] });
  await account.bind(writer);
  const before = await takePictureOf(plane);
  const { errors } = await plane.restore({ state: "FAILED" });
  const rights = "rbac.authorization.k8s.io in faults-permissions";
  expect(errors).toEqual([expect.stringContaining("lacks rights that a restore needs")]);
  expect(errors[0]).toContain(`escalate roles.${rights} (for Role powerful)`);
  expect(errors[0]).toContain(`bind roles.${rights} (for RoleBinding powerful)`);
  expect(await touchedSince(before, plane)).toEqual([]);
});

test.each(["DELETING_OBJECTS", "RESTORING_OBJECTS"])(
  "a restore that loses its rights in %s goes back once it has them again",
  async (phase) => {
    await account.bind("cluster-admin");
    const before = await takePictureOf(plane);
    const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
    await reaches(plane, restoreCrn, phase);
    await account.bind(reader);
    await logged(plane, restoreCrn, "attempt 1: "); // of the rollback, whose attempts are not limited
    await account.bind("cluster-admin");

    const { errors } = await plane.service.waitForJob(restoreCrn, { state: "FAILED", timeout: 60_000 });
    expect(JSON.stringify(errors)).toMatch(/403 .*cannot .*the control plane is as before/);
    expect(await differencesSince(before, plane)).toEqual([]);
  },
);
