import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiError, type Method } from "../support/api-client.ts";
import { crn } from "../support/fake-engine.ts";
import { clientOf, protocols, type Protocol } from "../support/protocols.ts";
import { Account } from "./faults/account.ts";
import type { TestCluster } from "./support/cluster.ts";
import { eventually } from "./support/eventually.ts";
import { startService, type TestService } from "./support/service.ts";
import { sharedCluster } from "./support/shared-cluster.ts";

const audience = "data-recovery-service";
/** What the service itself needs of the cluster to ask who calls and what they may. */
const asker = "callers-asker";
/** The cluster roles that are ready for callers. */
const manifest = join(import.meta.dirname, "../../deploy/callers.yaml");
const powerUser = "data-recovery-service-power-user";
const auditor = "data-recovery-service-auditor";

let cluster: TestCluster;
let service: TestService;
let accounts: readonly Account[] = [];
let serviceAccount: Account;
let operator: Account;
let reviewer: Account;
let stranger: Account;
beforeAll(async () => {
  cluster = await sharedCluster();
  const reviews = "tokenreviews.authentication.k8s.io,subjectaccessreviews.authorization.k8s.io";
  await cluster.kubectl("create", "clusterrole", asker, "--verb=create", `--resource=${reviews}`);
  await cluster.kubectl("apply", "--filename", manifest);
  [serviceAccount, operator, reviewer, stranger] = await Promise.all([
    Account.create("callers-service", cluster),
    Account.create("callers-operator", cluster),
    Account.create("callers-reviewer", cluster),
    Account.create("callers-stranger", cluster),
  ]);
  accounts = [serviceAccount, operator, reviewer, stranger];
  await serviceAccount.bind(asker);
  await operator.bind(powerUser);
  await reviewer.bind(auditor);
  await stranger.bind("view");
  service = await startService({
    cluster,
    flags: [
      `--kubeconfig=${await serviceAccount.kubeconfig()}`,
      `--token-review-audiences=${audience}`,
      "--rights=kubernetes",
    ],
    bearerToken: await operator.token(audience),
  });
});

afterAll(async () => {
  await service?.stop();
  for (const account of accounts) await account.delete();
  await cluster?.kubectl("delete", "--filename", manifest);
  await cluster?.kubectl("delete", "clusterrole", asker);
});

/** The answer to a caller with this token: OK, or the error whole. */
function told(token: string, method: Method, request: object = {}, protocol: Protocol = "JSON"): Promise<string> {
  const call = clientOf(protocol, service.url, { authorization: `Bearer ${token}` });
  return call(method, request as never).then(
    () => "OK",
    (error: unknown) => {
      if (error instanceof ApiError) return error.message;
      throw error;
    },
  );
}

function denied({ user }: Account, right: string, needed: string): string {
  return `PERMISSION_DENIED: ${user} does not have the right drscp/${right}, in the cluster: ${needed}`;
}

describe.each(protocols)("over %s", (protocol) => {
  test("a service account's token for this service is taken, and one for the API server is not", async () => {
    expect(await told(await operator.token(audience), "listBackups", {}, protocol)).toBe("OK");
    const refused = "UNAUTHENTICATED: the bearer token is not valid here: get a new one for this service";
    expect(await told(await operator.token(), "listBackups", {}, protocol)).toBe(refused);
    expect(await told(await operator.token("another-service"), "listBackups", {}, protocol)).toBe(refused);
    expect(await told("no-token", "listBackups", {}, protocol)).toBe(refused);
  });

  test("cluster roles on backups and restores say who may do what", async () => {
    const [mayAll, mayRead, mayNothing] = await Promise.all(
      [operator, reviewer, stranger].map((account) => account.token(audience)),
    );
    const backupCrn = crn("backup", 1);
    const none = `NOT_FOUND: there is no backup ${backupCrn}`;
    const ask = async (method: Method, request: object) => [
      await told(mayAll ?? "", method, request, protocol),
      await told(mayRead ?? "", method, request, protocol),
      await told(mayNothing ?? "", method, request, protocol),
    ];
    expect(await ask("describeBackup", { backupCrn })).toEqual([
      none,
      none,
      denied(stranger, "describeBackup", "get backups.drs.cloudera.com"),
    ]);
    expect(await ask("getLogs", { crn: backupCrn })).toEqual([
      none,
      none,
      denied(stranger, "getLogs", "get backups.drs.cloudera.com/log"),
    ]);
    expect(await ask("restoreBackup", { backupCrn })).toEqual([
      none,
      denied(reviewer, "restoreBackup", "create restores.drs.cloudera.com"),
      denied(stranger, "restoreBackup", "create restores.drs.cloudera.com"),
    ]);
    expect(await ask("deleteBackup", { backupCrn })).toEqual([
      none,
      denied(reviewer, "deleteBackup", "delete backups.drs.cloudera.com"),
      denied(stranger, "deleteBackup", "delete backups.drs.cloudera.com"),
    ]);
  });
});

test("a right that is taken away is gone some seconds later, without a restart", async () => {
  const token = await reviewer.token(audience);
  expect(await told(token, "listRestores")).toBe("OK");
  await reviewer.bind("view");
  await eventually(
    "the right is gone",
    async () => (await told(token, "listRestores")).startsWith("PERMISSION_DENIED"),
    {
      timeout: 30_000,
    },
  );
});

test("a service that may not ask the cluster says which right its account lacks", async () => {
  await serviceAccount.bind("view");
  const answer = await eventually(
    "the service may not ask any more",
    async () => {
      const answer = await told(`guess-${Date.now()}`, "listBackups");
      return !answer.startsWith("UNAUTHENTICATED") && answer;
    },
    { timeout: 30_000 },
  );
  expect(answer).toBe(
    "INTERNAL: the service's account may not ask the cluster about callers: let it create tokenreviews.authentication.k8s.io",
  );
});
