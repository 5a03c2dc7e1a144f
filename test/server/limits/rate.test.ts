import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { DrscpService } from "../../../gen/drscp/v1/drscp_pb.ts";
import { Health } from "../../../gen/health/v1/health_pb.ts";
import { DrsError } from "../../../engine/errors.ts";
import type { Authenticator } from "../../../server/callers/authenticator.ts";
import type { Callers } from "../../../server/callers/authentication.ts";
import { RequestRate } from "../../../server/limits/request-rate.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post, type Reply } from "../../support/http-json.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";

/** Every caller that names itself is believed; "nobody" is not. */
const credulous: Callers = {
  authenticators: [
    {
      authMethod: "bearer token",
      authenticate: ({ headers: { authorization: name = "" } }) =>
        name === "nobody"
          ? Promise.reject(new DrsError("UNAUTHENTICATED", "the token is not valid", { id: "DRS-C005" }))
          : Promise.resolve({ name, groups: [], provenBy: "bearer token" }),
    },
  ],
};
const perSecond = 1;
const burst = 2 * perSecond;

let engine: FakeEngine;
let running: TestServer;
let logged: object[];
beforeEach(async () => {
  engine = new FakeEngine();
  logged = [];
  const log = { info: (fields: object) => void logged.push(fields), warn() {}, error() {} };
  running = await startTestServer(engine, { limits: { requestsPerSecond: perSecond }, callers: credulous, log });
});
afterEach(() => running.server.close());

function createBackup(authorization: string): Promise<Reply> {
  return post(running.url, "/api/v1/drscp/createBackup", { body: "{}", headers: { authorization } });
}

/** Asks until it is refused for asking too often. */
async function exhaust(authorization: string): Promise<Reply> {
  for (let asked = 0; asked < 20 * burst; asked += 1) {
    const reply = await createBackup(authorization);
    if (reply.status === 429) return reply;
  }
  throw new Error("never refused");
}

test("who asks too often is refused with nothing recorded, and served again a while later", async () => {
  const refused = await exhaust("alice");
  expect(JSON.parse(refused.body)).toEqual({
    code: "RESOURCE_EXHAUSTED",
    message: expect.stringMatching(/^more than 1 requests a second: .*--max-requests-per-second$/),
  });
  const before = engine.backups.length;
  expect(before).toBeGreaterThanOrEqual(burst);
  const replies = await Promise.all(Array.from({ length: 20 }, () => createBackup("alice")));
  const served = replies.filter(({ status }) => status === 200);
  expect(served.length).toBeLessThan(10);
  expect(engine.backups).toHaveLength(before + served.length);
  await expect.poll(async () => (await createBackup("alice")).status, { timeout: 10_000 }).toBe(200);
});

test("others are served meanwhile, from the same address too", async () => {
  await exhaust("alice");
  expect((await createBackup("bob")).status).toBe(200);
});

test.each([
  ["gRPC", createGrpcTransport],
  ["gRPC-Web", createGrpcWebTransport],
  ["Connect", createConnectTransport],
])("%s says it its own way", async (_name, create) => {
  const client = createClient(DrscpService, create({ baseUrl: running.url, httpVersion: "2" }));
  const headers = { authorization: "alice" };
  const calls = await Promise.allSettled(Array.from({ length: 20 }, () => client.createBackup({}, { headers })));
  const refused = calls.flatMap((call) => (call.status === "rejected" ? [ConnectError.from(call.reason).code] : []));
  expect(new Set(refused)).toEqual(new Set([Code.ResourceExhausted]));
  expect(engine.backups).toHaveLength(calls.length - refused.length);
});

test("what proves nobody counts against its address, which is not asked any more when it has had its share", async () => {
  const { status } = await createBackup("nobody");
  expect(status).toBe(401);
  const replies = await Promise.all(Array.from({ length: 20 }, () => createBackup("nobody")));
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([401, 429]));
  expect((await createBackup("alice")).status).toBe(429);
  expect(engine.backups).toHaveLength(0);
});

test("of very many who come at once only so many are asked who they are, and who is proven takes none of their share", async () => {
  let asked = 0;
  const { promise: answers, resolve: resume } = Promise.withResolvers<void>();
  const slow: Authenticator = {
    authMethod: "bearer token",
    async authenticate({ headers: { authorization: name = "" } }) {
      asked += 1;
      await answers;
      return { name, groups: [], provenBy: "bearer token" };
    },
  };
  const running = await startTestServer(engine, {
    limits: { requestsPerSecond: 10 },
    callers: { authenticators: [slow] },
  });
  onTestFinished(() => running.server.close());
  const list = (authorization: string) =>
    post(running.url, "/api/v1/drscp/listBackups", { headers: { authorization } });
  const since = performance.now();
  let refused = 0;
  const replies = Array.from({ length: 500 }, async (_, number) => {
    const { status } = await list(`caller ${number}`);
    if (status === 429) refused += 1;
    return status;
  });
  await expect.poll(() => refused + asked, { timeout: 20_000 }).toBe(500);
  expect(asked).toBeLessThanOrEqual(20 + Math.ceil((performance.now() - since) / 100));
  resume();
  expect((await Promise.all(replies)).filter((status) => status === 200)).toHaveLength(asked);
  for (let number = 0; number < 100; number += 1) expect((await list(`another ${number}`)).status).toBe(200);
});

test("health is answered to any caller, however often it asks", async () => {
  await exhaust("nobody");
  const { check } = createClient(Health, createGrpcTransport({ baseUrl: running.url }));
  for (let asked = 0; asked < 3 * burst; asked += 1) await expect(check({})).resolves.toBeDefined();
});

test.each([
  ["paths that are none", "/nothing", {}],
  ["methods that are none", "/api/v1/drscp/listBackups", { method: "GET" }],
  ["types that are none", "/drscp.v1.DrscpService/ListBackups", { headers: { "Content-Type": "text/plain" } }],
])("a flood of %s does not fill the log", async (_what, path, options) => {
  await Promise.all(Array.from({ length: 200 }, () => post(running.url, path, options)));
  await expect.poll(() => logged.length).toBeGreaterThan(0);
  expect(logged.length).toBeLessThan(20);
});

test("a flood of refused calls does not fill the log", async () => {
  await exhaust("alice");
  const replies = await Promise.all(Array.from({ length: 200 }, () => createBackup("alice")));
  expect(replies.filter(({ status }) => status === 429).length).toBeGreaterThan(150);
  const lines = logged.filter((line) => "status" in line && line.status === 429);
  expect(lines.length).toBeLessThan(10);
});

describe("the buckets", () => {
  test("fill at the rate, up to two seconds' worth", () => {
    let now = 0;
    const rate = new RequestRate(10, () => now);
    const takeAll = () => Array.from({ length: 100 }, () => rate.take("a")).filter(Boolean).length;
    expect(takeAll()).toBe(20);
    now += 500;
    expect(takeAll()).toBe(5);
    now += 60_000;
    expect(takeAll()).toBe(20);
  });

  test("take no more memory than those of ten thousand callers", () => {
    const rate = new RequestRate(1);
    for (let caller = 0; caller < 50_000; caller += 1) rate.take(`address ${caller}`);
    expect(rate.size).toBe(10_000);
  });
});
