import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { ClusterRight } from "../../../engine/cluster-auth.ts";
import { type Logger, silentLogger } from "../../../engine/logger.ts";
import type { User } from "../../../engine/model.ts";
import type { Identity } from "../../../server/callers/identity.ts";
import { openCallers } from "../../../server/callers/open-callers.ts";
import { readConfig } from "../../../server/settings/config.ts";
import { clusterRightsOf } from "../../../server/rights/cluster-rights.ts";
import { allRights } from "../../../server/rights/right.ts";
import { ApiError, type Method } from "../../support/api-client.ts";
import { crn, FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { clientOf, protocols, type Protocol } from "../../support/protocols.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";

const groupsOf: Readonly<Record<string, readonly string[]>> = {
  alice: ["operators"],
  bob: ["reviewers", "strangers"],
  carol: [],
};

let folder: string;
let file: string;
let engine: FakeEngine;
let running: TestServer | undefined;
let logged: { err: Error }[];
let log: Logger;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "drs-rights-"));
  file = join(folder, "rights.json");
  const errors: { err: Error }[] = [];
  logged = errors;
  log = { ...silentLogger, error: (fields) => void errors.push(fields as { err: Error }) };
  engine = new FakeEngine();
  engine.auth = {
    authenticateToken: async (name) => ({ username: name, groups: groupsOf[name] ?? [] }),
    isAllowed: async () => false,
  };
});
afterEach(async () => {
  await running?.server.close();
  running = undefined;
  await rm(folder, { recursive: true });
});

const open = async (rights: string) => {
  const { callers: config } = readConfig([
    "--token-review-audiences=drs",
    ...(rights === "" ? [] : [`--rights=${rights}`]),
  ]);
  const callers = await openCallers(config, log, () => engine.auth);
  if (callers) onTestFinished(() => callers.close());
  return callers;
};

/** Starts the server; a caller's token is its name. */
async function serve(rights: string): Promise<void> {
  running = await startTestServer(engine, { callers: await open(rights) });
}

async function grant(grants: readonly object[]): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify({ grants }));
  await rename(`${file}.new`, file);
}

const call = (name: string, method: Method, request: object = {}, protocol: Protocol = "JSON") =>
  clientOf(protocol, running?.url ?? "", { authorization: name })(method, request as never);

/** The answer to a caller: OK, or the error whole. */
const told = (...args: Parameters<typeof call>): Promise<string> =>
  call(...args).then(
    () => "OK",
    (error: unknown) => {
      if (error instanceof ApiError) return error.message;
      throw error;
    },
  );

const methods = allRights.map((right) => right.replace("drscp/", "") as Method);
/** The methods that a caller may call: what they say of an empty request does not count. */
async function allowedTo(name: string): Promise<readonly Method[]> {
  const allowed: Method[] = [];
  for (const method of methods) if (!(await told(name, method)).startsWith("PERMISSION_DENIED")) allowed.push(method);
  return allowed;
}

describe("by a file", () => {
  test("users and groups have the rights of their roles, and single ones", async () => {
    await grant([
      { groups: ["operators"], roles: ["PowerUser"] },
      { users: ["bob"], groups: ["others"], rights: ["drscp/createBackup"] },
      { groups: ["reviewers"], roles: ["Auditor"] },
    ]);
    await serve(file);
    expect(await allowedTo("alice")).toEqual(methods);
    expect(await allowedTo("bob")).toEqual([
      "createBackup",
      "describeBackup",
      "describeRestore",
      "getLogs",
      "listBackupEntities",
      "listBackups",
      "listRestores",
    ]);
    expect(await allowedTo("carol")).toEqual([]);
  });

  test.each(protocols)("a refused call names the missing right over %s, and does nothing", async (protocol) => {
    await grant([{ users: ["bob"], roles: ["Auditor"] }]);
    await serve(file);
    await expect(call("bob", "createBackup", {}, protocol)).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      message: expect.stringContaining("bob does not have the right drscp/createBackup"),
    });
    expect(engine.backups).toEqual([]);
  });

  test("a refused call is 403 on the JSON paths, before its body is looked at", async () => {
    await grant([]);
    await serve(file);
    const reply = await post(running?.url ?? "", "/api/v1/drscp/deleteBackup", {
      body: "{",
      headers: { authorization: "bob" },
    });
    expect([reply.status, JSON.parse(reply.body)]).toEqual([
      403,
      { code: "PERMISSION_DENIED", message: "bob does not have the right drscp/deleteBackup" },
    ]);
  });

  test.each(protocols)("who may not read it does not learn whether a CRN exists over %s", async (protocol) => {
    await grant([{ users: ["alice"], roles: ["PowerUser"] }]);
    await serve(file);
    const { backupCrn } = await call("alice", "createBackup");
    const { restoreCrn } = await call("alice", "restoreBackup", { backupCrn });
    for (const [method, member, exists, absent] of [
      ["describeBackup", "backupCrn", backupCrn, crn("backup", 9)],
      ["deleteBackup", "backupCrn", backupCrn, crn("backup", 9)],
      ["restoreBackup", "backupCrn", backupCrn, crn("backup", 9)],
      ["listRestores", "backupCrn", backupCrn, crn("backup", 9)],
      ["describeRestore", "restoreCrn", restoreCrn, crn("restore", 9)],
      ["getLogs", "crn", backupCrn, crn("backup", 9)],
      ["getLogs", "crn", restoreCrn, crn("deleteBackup", 9)],
      ["getLogs", "crn", backupCrn, "no CRN at all"],
    ] as const) {
      const denied = `PERMISSION_DENIED: carol does not have the right drscp/${method}`;
      expect(await told("carol", method, { [member]: exists }, protocol)).toBe(denied);
      expect(await told("carol", method, { [member]: absent }, protocol)).toBe(denied);
    }
  });

  test("a changed file counts at once, and one that is broken is logged and does not", async () => {
    await grant([{ users: ["carol"], roles: ["Auditor"] }]);
    await serve(file);
    expect(await told("carol", "listBackups")).toBe("OK");
    await grant([{ users: ["carol"], rights: ["drscp/createBackup"] }]);
    await vi.waitFor(async () => expect(await told("carol", "listBackups")).toMatch(/^PERMISSION_DENIED/), 10_000);
    expect(await told("carol", "createBackup")).toBe("OK");
    await grant([{ users: ["carol"], roles: ["Admin"] }]);
    await vi.waitFor(() => expect(logged).toHaveLength(1), 10_000);
    expect(logged[0]?.err.message).toBe(
      `rights file ${file}: grants[0].roles[0] is "Admin"; allowed are PowerUser, Auditor`,
    );
    expect(await told("carol", "createBackup")).toBe("OK");
  });

  test.each<[string, unknown, string]>([
    [
      "an unknown role",
      { grants: [{ users: ["a"], roles: ["Admin"] }] },
      'grants[0].roles[0] is "Admin"; allowed are PowerUser, Auditor',
    ],
    [
      "an unknown right",
      { grants: [{ users: ["a"], rights: ["drscp/*"] }] },
      'grants[0].rights[0] is "drscp/*"; allowed are drscp/',
    ],
    ["an unknown member", { grants: [{ user: ["a"], roles: ["Auditor"] }] }, 'grants[0] has an unknown member "user"'],
    ["a grant to nobody", { grants: [{ roles: ["Auditor"] }] }, "grants[0] grants to nobody"],
    ["a grant of nothing", { grants: [{ users: ["a"], roles: [] }] }, "grants[0] grants nothing"],
    ["an empty name", { grants: [{ users: [""], roles: ["Auditor"] }] }, "grants[0].users[0] is empty"],
    ["a name that is no list", { grants: [{ users: "a", roles: ["Auditor"] }] }, "grants[0].users is not a list"],
    ["another shape", ["a"], "grants is missing"],
    ["no grants", {}, "grants is missing"],
    ["no JSON", undefined, "the file is not JSON"],
  ])("%s in the file keeps the service from starting", async (_name, content, message) => {
    await writeFile(file, JSON.stringify(content) ?? "{");
    await expect(open(file)).rejects.toThrow(`rights file ${file}: ${message}`);
  });
});

describe("by the cluster's roles", () => {
  let asked: [User, ClusterRight][];
  beforeEach(() => {
    asked = [];
    engine.auth = {
      ...engine.auth,
      isAllowed: async (user, right) => {
        asked.push([user, right]);
        return user.username === "alice" && right.resource === "backups";
      },
    };
  });

  test("each method is a verb on backups or restores", async () => {
    await serve("kubernetes");
    expect(await allowedTo("alice")).toEqual([
      "createBackup",
      "deleteBackup",
      "describeBackup",
      "listBackupEntities",
      "listBackups",
    ]);
    expect(
      asked.map(
        ([, { verb, group, resource, subresource }]) =>
          `${verb} ${[resource, subresource].filter(Boolean).join("/")}.${group}`,
      ),
    ).toMatchInlineSnapshot(`
      [
        "create backups.drs.cloudera.com",
        "delete backups.drs.cloudera.com",
        "get backups.drs.cloudera.com",
        "get restores.drs.cloudera.com",
        "get backups/log.drs.cloudera.com",
        "get restores/log.drs.cloudera.com",
        "list backups/entities.drs.cloudera.com",
        "list backups.drs.cloudera.com",
        "list restores.drs.cloudera.com",
        "create restores.drs.cloudera.com",
      ]
    `);
  });

  test.each(protocols)("a refused call names the missing right over %s", async (protocol) => {
    await serve("kubernetes");
    const message = "the right drscp/getLogs, in the cluster: get restores.drs.cloudera.com/log";
    expect(await told("alice", "getLogs", { crn: crn("backup", 1) }, protocol)).toContain(message);
    expect(await told("alice", "getLogs", { crn: crn("restore", 1) }, protocol)).toContain(message);
  });

  test("only the cluster's own word makes anybody what begins with system:", async () => {
    const authorize = clusterRightsOf(() => engine.auth);
    const noSignal = new AbortController().signal;
    const userOf = async (identity: Omit<Identity, "provenBy">) => {
      asked = [];
      await authorize({ ...identity, provenBy: "bearer token" }, "drscp/listBackups", noSignal).catch(() => undefined);
      return asked[0]?.[0];
    };
    const username = "system:serviceaccount:ops:nightly";
    const clusterUser = { username, groups: ["system:masters"], uid: "u" };
    expect(await userOf({ name: username, groups: ["system:masters"], clusterUser })).toEqual(clusterUser);
    expect(await userOf({ name: "alice", groups: ["system:masters", "operators"] })).toEqual({
      username: "alice",
      groups: ["operators", "system:authenticated"],
    });
    expect(await userOf({ name: username, groups: [] })).toEqual({
      username: "system:anonymous",
      groups: ["system:unauthenticated"],
    });
  });
});

/** What a start warns of with these settings, and what a stranger may do then. */
async function started(...args: readonly string[]) {
  const warnings: string[] = [];
  const warn = (_fields: object, text: string) => void warnings.push(text);
  const callers = await openCallers(readConfig(args).callers, { ...silentLogger, warn }, () => engine.auth);
  if (callers) onTestFinished(() => callers.close());
  running = await startTestServer(engine, { callers });
  return warnings;
}

test("callers whose tokens are taken may do everything only where that was said", async () => {
  expect(await started("--token-review-audiences=drs", "--rights=all")).toEqual([]);
  expect(await allowedTo("carol")).toEqual(methods);
});

test("without rights the callers of access keys may do everything, and a start says so", async () => {
  await writeFile(file, '{"keys": []}');
  expect(await started(`--access-keys=${file}`)).toEqual([
    expect.stringContaining("every authenticated caller may do everything"),
  ]);
});
