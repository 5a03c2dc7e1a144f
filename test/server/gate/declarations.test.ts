import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { expect, onTestFinished, test } from "vitest";
import { silentLogger } from "../../../engine/logger.ts";
import {
  Access_Audit as Audit,
  Access_Callers as Callers,
  Access_Effect as Effect,
} from "../../../gen/drs/v1/options_pb.ts";
import { AuditLog } from "../../../server/audit/audit-log.ts";
import { type MethodRule, ruleOf } from "../../../server/gate/method-rule.ts";
import { clusterRightsOf } from "../../../server/rights/cluster-rights.ts";
import { allRights } from "../../../server/rights/right.ts";
import { servicesOf } from "../../../server/services/services.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { oddClient, type OddMethod, oddServed, oddService } from "../../support/odd-service.ts";
import { startTestServer } from "../../support/test-server.ts";

const alice = { name: "alice", groups: [], provenBy: "bearer token" } as const;

/** Every method that the service registers, with its rule. */
function registered(): ReadonlyMap<string, MethodRule> {
  const shutdown = new AbortController().signal;
  const services = servicesOf({ engine: new FakeEngine(), log: silentLogger, reflection: true, shutdown });
  const methods = services.flatMap(({ service }) => service.methods);
  return new Map(methods.map((method) => [`${method.parent.typeName}/${method.name}`, ruleOf(method)]));
}

function namesOf(isMeant: (rule: MethodRule) => boolean): readonly string[] {
  return [...registered()].flatMap(([name, rule]) => (isMeant(rule) ? [name] : []));
}

test("every method that the service registers declares who may call it", () => {
  expect(registered().size).toBeGreaterThanOrEqual(14);
  expect(namesOf(({ callers }) => callers === "nobody")).toEqual([]);
});

test("every right that a method asks for can be granted, by a file and by the cluster", async () => {
  const granted = clusterRightsOf(() => ({ authenticateToken: async () => undefined, isAllowed: async () => true }));
  const { signal } = new AbortController();
  for (const { callers, right } of registered().values()) {
    if (callers !== "granted") continue;
    expect(allRights).toContain(right);
    await granted(alice, right, signal);
  }
});

test("strangers are let in to health alone, and without a right who is known learns no more than the schema", () => {
  expect(namesOf(({ callers }) => callers === "anybody")).toEqual(
    ["Check", "Watch", "List"].map((name) => `grpc.health.v1.Health/${name}`),
  );
  expect(namesOf(({ callers }) => callers === "known")).toEqual(
    ["v1", "v1alpha"].map((version) => `grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`),
  );
});

test("what changes a control plane is said to, and every call that reveals one is audited", () => {
  expect(namesOf(({ changes }) => changes)).toEqual(
    ["CreateBackup", "DeleteBackup", "RestoreBackup"].map((name) => `drscp.v1.DrscpService/${name}`),
  );
  expect(namesOf(({ isAudited }) => !isAudited).filter((name) => name.startsWith("drs"))).toEqual([]);
});

const right = { case: "right", value: "odd/doIt" } as const;
const known = { case: "openTo", value: Callers.KNOWN } as const;
const reads = { effect: Effect.READS, audit: Audit.NOTHING } as const;
const changes = { effect: Effect.CHANGES, audit: Audit.EACH_CALL } as const;

test.each<[string, OddMethod["declares"] | undefined]>([
  ["nothing", undefined],
  ["no caller", reads],
  ["an empty right", { callers: { case: "right", value: "" }, ...reads }],
  ["no kind of callers", { callers: { case: "openTo", value: Callers.CALLERS_UNSPECIFIED }, ...reads }],
  ["callers that are not known here", { callers: { case: "openTo", value: 9 as Callers }, ...reads }],
  ["no effect", { callers: right, audit: Audit.EACH_CALL }],
  ["an effect that is not known here", { callers: right, audit: Audit.EACH_CALL, effect: 9 as Effect }],
  ["no audit", { callers: right, effect: Effect.READS }],
  ["a change that is not audited", { callers: right, effect: Effect.CHANGES, audit: Audit.NOTHING }],
  ["a change without a right", { callers: known, ...changes }],
])("a method that declares %s is for nobody, and audited", (_, declares) => {
  const [method] = oddService([{ name: "DoIt", ...(declares && { declares }) }]).methods;
  expect(method && ruleOf(method)).toMatchObject({ callers: "nobody", isAudited: true });
});

test("a method that declares all of it is for those who have its right", () => {
  const [method] = oddService([{ name: "DoIt", declares: { callers: right, ...changes } }]).methods;
  expect(method && ruleOf(method)).toEqual({ callers: "granted", right: "odd/doIt", changes: true, isAudited: true });
});

const methods: readonly OddMethod[] = [
  { name: "Undeclared" },
  { name: "Declared", declares: { callers: known, ...reads } },
];

test.each([
  ["where nobody is asked who calls", undefined],
  ["who is known", { authenticators: [{ authMethod: "bearer token", authenticate: async () => alice } as const] }],
])("a method without a declaration is refused to everybody, %s, on every protocol, and audited", async (_, callers) => {
  const folder = mkdtempSync(join(tmpdir(), "drs-gate-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "audit.log");
  const service = oddService(methods);
  const asked: string[] = [];
  const handler = (name: string) => () => {
    asked.push(name);
    return {};
  };
  const odd = oddServed(service, { undeclared: handler("undeclared"), declared: handler("declared") });
  const running = await startTestServer(new FakeEngine(), {
    services: (context) => [...servicesOf(context), odd],
    audit: new AuditLog(file),
    callers,
  });
  onTestFinished(() => running.server.close());
  const message = "odd.v1.OddService/Undeclared declares no access: nobody may call it";

  for (const create of [createGrpcTransport, createGrpcWebTransport, createConnectTransport]) {
    const client = oddClient(service, create({ baseUrl: running.url, httpVersion: "2" }));
    const error = await client["undeclared"]?.({}).catch((cause: unknown) => ConnectError.from(cause));
    expect(error).toMatchObject({ code: Code.PermissionDenied, rawMessage: message });
  }
  const reply = await post(running.url, "/api/v1/odd/Undeclared", { body: "no JSON" });
  expect([reply.status, JSON.parse(reply.body)]).toEqual([403, { code: "PERMISSION_DENIED", message }]);
  expect((await post(running.url, "/api/v1/odd/Declared", { body: "{}" })).status).toBe(200);
  expect(asked).toEqual(["declared"]);

  const refused = { event: "ended", method: "odd.v1.OddService/Undeclared", result: "PERMISSION_DENIED" };
  const lines = () => readFileSync(file, "utf8").trim().split("\n");
  await expect.poll(() => lines().length).toBe(4);
  for (const line of lines()) expect(JSON.parse(line)).toMatchObject(refused);
});
