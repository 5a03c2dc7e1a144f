import { afterAll, beforeAll, expect, test } from "vitest";
import { clusterPath, type SmallControlPlane } from "../fidelity/support.ts";
import type { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { sharedCluster } from "../support/shared-cluster.ts";
import { Account } from "./account.ts";
import { aRunningControlPlane, differencesSince, type Picture, reaches, release, takePictureOf } from "./scene.ts";

const name = "faults-throttling";
const level = "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations";
const schema = "flowcontrol.apiserver.k8s.io/v1/flowschemas";
let cluster: TestCluster;
let account: Account;
let plane: SmallControlPlane;
let saved: Picture;

beforeAll(async () => {
  cluster = await sharedCluster();
  account = await Account.create(`${name}-service`, cluster);
  plane = await aRunningControlPlane(name, [`--kubeconfig=${await account.kubeconfig()}`, "--snapshot-timeout=60s"]);
  saved = await takePictureOf(plane);
  await plane.backUp();
  await release(plane, 2);
});

afterAll(async () => {
  await letThrough();
  await plane?.remove();
  await account?.delete();
});

test("a restore whose requests are answered 429 for a while waits and completes", async () => {
  const { restoreCrn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await reaches(plane, restoreCrn, "STOPPING_APPS");
  await rejectAll();
  await eventually("requests are rejected", async () => (await rejections()) >= 20, { timeout: 60_000 });
  await letThrough();

  const { warnings, errors } = await plane.service.waitForJob(restoreCrn);
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect(await differencesSince(saved, plane)).toEqual([]);
});

/** Gives the service's account no share of the API server. https://kubernetes.io/docs/concepts/cluster-administration/flow-control/ */
async function rejectAll(): Promise<void> {
  const apiVersion = "flowcontrol.apiserver.k8s.io/v1";
  const limited = {
    nominalConcurrencyShares: 0,
    lendablePercent: 0,
    borrowingLimitPercent: 0,
    limitResponse: { type: "Reject" },
  };
  await cluster.kubernetes.create(clusterPath(level), {
    apiVersion,
    kind: "PriorityLevelConfiguration",
    metadata: { name },
    spec: { type: "Limited", limited },
  });
  const subjects = [{ kind: "ServiceAccount", serviceAccount: { namespace: "default", name: account.name } }];
  const all = { verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"] };
  await cluster.kubernetes.create(clusterPath(schema), {
    apiVersion,
    kind: "FlowSchema",
    metadata: { name },
    spec: {
      matchingPrecedence: 2,
      priorityLevelConfiguration: { name },
      rules: [{ subjects, resourceRules: [all], nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }] }],
    },
  });
}

/** How many requests of the account the API server has answered 429. */
async function rejections(): Promise<number> {
  const metrics = await cluster.kubernetes.request("GET", "/metrics", { accept: "text/plain" });
  const counts = metrics.matchAll(/^apiserver_flowcontrol_rejected_requests_total\{([^}]*)\} (\d+)$/gm);
  return [...counts]
    .filter(([, labels]) => labels?.includes(name))
    .reduce((sum, [, , count]) => sum + Number(count), 0);
}

async function letThrough(): Promise<void> {
  await cluster.kubernetes.delete(clusterPath(schema, name));
  await cluster.kubernetes.delete(clusterPath(level, name));
}
