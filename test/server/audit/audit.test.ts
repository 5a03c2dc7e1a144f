import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { DrsError } from "../../../engine/errors.ts";
import { silentLogger } from "../../../engine/logger.ts";
import { DrscpService } from "../../../gen/drscp/v1/drscp_pb.ts";
import { Health } from "../../../gen/health/v1/health_pb.ts";
import { AuditLog } from "../../../server/audit/audit-log.ts";
import { openAuditLog } from "../../../server/audit/open-audit-log.ts";
import type { Callers } from "../../../server/callers/authentication.ts";
import { crn, FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "../../support/test-server.ts";

/** Every caller that names itself is believed; bob may only read. */
const credulous: Callers = {
  authenticators: [
    {
      authMethod: "bearer token",
      authenticate: ({ headers: { authorization: name } }) =>
        Promise.resolve(name ? { name, groups: [], provenBy: "bearer token" } : undefined),
    },
  ],
  authorize: ({ name }, right) =>
    name === "bob" && right === "drscp/deleteBackup"
      ? Promise.reject(new DrsError("PERMISSION_DENIED", "drscp/deleteBackup is not granted", { id: "DRS-C012" }))
      : Promise.resolve(),
};
const transports = [
  ["gRPC", createGrpcTransport],
  ["gRPC-Web", createGrpcWebTransport],
  ["Connect", createConnectTransport],
] as const;
const protocols = ["gRPC", "gRPC-Web", "Connect", "JSON"] as const;

let folder: string;
let file: string;
let engine: FakeEngine;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "drs-audit-"));
  file = join(folder, "audit.log");
  engine = new FakeEngine();
});
afterEach(() => rmSync(folder, { recursive: true }));

async function start(options: TestServerOptions = {}): Promise<TestServer> {
  const audit = options.audit ?? new AuditLog(file);
  const running = await startTestServer(engine, { ...options, audit });
  onTestFinished(() => running.server.close());
  return running;
}

type Line = Readonly<Record<string, unknown>>;

function lines(): Line[] {
  const text = readFileSync(file, "utf8");
  expect(text).toMatch(/^([\x20-\x7e]+\n)*$/);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

/** The lines, once there are so many. */
async function linesWritten(count: number): Promise<Line[]> {
  await expect.poll(() => lines().length).toBe(count);
  return lines();
}

/** Calls a method by a protocol, as alice; resolves to the error's code, upper case, or to OK. */
async function call(running: TestServer, protocol: (typeof protocols)[number], method: string, request: object) {
  const headers = { authorization: "alice", "x-request-id": "request-1" };
  if (protocol === "JSON") {
    const { body } = await post(running.url, `/api/v1/drscp/${method}`, { body: JSON.stringify(request), headers });
    return (JSON.parse(body) as { code?: string }).code ?? "OK";
  }
  const create = transports.find(([name]) => name === protocol)?.[1] ?? createGrpcTransport;
  const client = createClient(DrscpService, create({ baseUrl: running.url, httpVersion: "2" }));
  type Rpc = (request: object, options: object) => Promise<unknown>;
  return (client as unknown as Record<string, Rpc>)[method]?.(request, { headers }).then(
    () => "OK",
    (error: unknown) => Code[ConnectError.from(error).code]?.toUpperCase(),
  );
}

const common = {
  time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
  requestId: "request-1",
  caller: "alice",
  provenBy: "bearer token",
  address: "127.0.0.1",
};
const ended = { ...common, event: "ended", ms: expect.any(Number) as number };

describe.each(protocols)("by %s", (protocol) => {
  test("what changes something is on the disk before it is done, and then what came of it", async () => {
    const running = await start({ callers: credulous });
    const createBackup = engine.createBackup.bind(engine);
    let before: Line[] = [];
    engine.createBackup = (request) => {
      before = lines();
      return createBackup(request);
    };
    expect(await call(running, protocol, "createBackup", { backupName: "nightly" })).toBe("OK");
    expect(await call(running, protocol, "restoreBackup", { backupCrn: crn("backup", 1) })).toBe("OK");
    expect(await call(running, protocol, "deleteBackup", { backupCrn: crn("backup", 1) })).toBe("OK");
    const accepted = { ...common, event: "accepted", method: "createBackup" };
    expect(before).toEqual([accepted]);
    const ofBackup = { crn: crn("backup", 1) };
    expect(await linesWritten(6)).toEqual([
      accepted,
      { ...ended, method: "createBackup", createdCrn: crn("backup", 1), result: "OK" },
      { ...accepted, method: "restoreBackup", ...ofBackup },
      { ...ended, method: "restoreBackup", ...ofBackup, createdCrn: crn("restore", 2), result: "OK" },
      { ...accepted, method: "deleteBackup", ...ofBackup },
      { ...ended, method: "deleteBackup", ...ofBackup, createdCrn: crn("deleteBackup", 3), result: "OK" },
    ]);
  });

  test("what only reads is one line, with its result", async () => {
    const running = await start({ callers: credulous });
    expect(await call(running, protocol, "listBackups", {})).toBe("OK");
    await call(running, protocol, "describeBackup", { backupCrn: crn("backup", 9) });
    expect(await linesWritten(2)).toEqual([
      { ...ended, method: "listBackups", result: "OK" },
      { ...ended, method: "describeBackup", crn: crn("backup", 9), result: "NOT_FOUND" },
    ]);
  });

  test("nothing is done when it cannot be written, and reading goes on", async () => {
    const running = await start({ callers: credulous, audit: new AuditLog("/dev/full") });
    expect(await call(running, protocol, "createBackup", {})).toBe("UNAVAILABLE");
    expect(engine.backups).toHaveLength(0);
    expect(await call(running, protocol, "listBackups", {})).toBe("OK");
  });
});

function as(authorization: string) {
  return { headers: { authorization, "x-request-id": "request-1" } };
}

test("refused calls are lines, too", async () => {
  const running = await start({ callers: credulous });
  const send = (path: string, options: Parameters<typeof post>[2]) => post(running.url, path, options);
  await send("/api/v1/drscp/createBackup", { headers: { "x-request-id": "request-1" } });
  await send("/api/v1/drscp/deleteBackup", { ...as("bob"), body: JSON.stringify({ backupCrn: crn("backup", 1) }) });
  await send("/api/v1/drscp/createBackup", { ...as("alice"), body: '{"backupName": 1}' });
  await send("/api/v1/drscp/dropBackup", as("alice"));
  const { caller: _caller, provenBy: _way, ...unknown } = ended;
  expect(await linesWritten(4)).toEqual([
    { ...unknown, method: "createBackup", result: "UNAUTHENTICATED", code: "DRS-C001" },
    { ...ended, caller: "bob", method: "deleteBackup", result: "PERMISSION_DENIED", code: "DRS-C012" },
    { ...ended, method: "createBackup", result: "INVALID_ARGUMENT" },
    { ...unknown, method: "/api/v1/drscp/dropBackup", result: "NOT_FOUND" },
  ]);
});

test("a flood of refused calls is a line now and then", async () => {
  const running = await start({ limits: { requestsPerSecond: 1 } });
  await Promise.all(Array.from({ length: 100 }, () => post(running.url, "/api/v1/drscp/listBackups")));
  const written = lines();
  expect(written.filter(({ result }) => result === "RESOURCE_EXHAUSTED").length).toBeGreaterThan(0);
  expect(written.length).toBeLessThan(50);
});

test("health is not audited", async () => {
  const running = await start();
  await createClient(Health, createGrpcTransport({ baseUrl: running.url })).check({});
  await call(running, "JSON", "listBackups", {});
  expect((await linesWritten(1))[0]).toMatchObject({ method: "listBackups" });
});

test("a call whose client has gone is logged to its end", async () => {
  const running = await start();
  const { promise, resolve } = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const createBackup = engine.createBackup.bind(engine);
  engine.createBackup = async (request) => {
    entered.resolve();
    await promise;
    return createBackup(request);
  };
  const socket = connect(Number(new URL(running.url).port), "127.0.0.1");
  socket.write("POST /api/v1/drscp/createBackup HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
  await entered.promise;
  socket.destroy();
  await once(socket, "close");
  await call(running, "JSON", "listBackups", {});
  expect((await linesWritten(2)).map(({ event }) => event)).toEqual(["accepted", "ended"]);
  resolve();
  expect((await linesWritten(3)).at(-1)).toMatchObject({ method: "createBackup", createdCrn: crn("backup", 1) });
});

test("no name, log, token or signature is in it", async () => {
  const running = await start();
  engine.logs = "log-secret";
  const headers = { authorization: "Bearer token-secret", "x-altus-auth": "auth-secret.signature-secret" };
  const send = (method: string, request: object) =>
    post(running.url, `/api/v1/drscp/${method}?query-secret`, { body: JSON.stringify(request), headers });
  await send("createBackup", { backupName: "name-secret" });
  expect((await send("getLogs", { crn: crn("backup", 1) })).body).toContain("log-secret");
  await send("createBackup", { itemName: "item-secret" });
  await linesWritten(5);
  expect(readFileSync(file, "utf8")).not.toContain("secret");
});

test("clients can neither forge lines nor make them long", async () => {
  const running = await start();
  const forged = '\n{"event":"ended"}\u2028\u202e\u0085';
  await post(running.url, "/api/v1/drscp/describeBackup", { body: JSON.stringify({ backupCrn: forged }) });
  await post(running.url, "/api/v1/drscp/describeBackup", { body: JSON.stringify({ backupCrn: "x".repeat(900_000) }) });
  await post(running.url, `/${"y".repeat(9_000)}`);
  const written = await linesWritten(3);
  expect(written[0]).toMatchObject({ crn: forged, method: "describeBackup" });
  for (const line of readFileSync(file, "utf8").split("\n")) expect(line.length).toBeLessThan(1_000);
});

describe("the file", () => {
  test("is its user's alone, also one that was there, and is added to", async () => {
    writeFileSync(file, '{"event":"ended"}\n');
    chmodSync(file, 0o644);
    const running = await start();
    await call(running, "JSON", "listBackups", {});
    expect(await linesWritten(2)).toHaveLength(2);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("is recreated on SIGHUP, so that it can be rotated", async () => {
    const running = await start({ audit: openAuditLog(file, silentLogger) });
    onTestFinished(() => void process.removeAllListeners("SIGHUP"));
    await call(running, "JSON", "listBackups", {});
    await linesWritten(1);
    renameSync(file, join(folder, "audit.log.1"));
    process.emit("SIGHUP");
    await call(running, "JSON", "listRestores", {});
    expect(await linesWritten(1)).toMatchObject([{ method: "listRestores" }]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("that cannot be opened is said at once", () => {
    const missing = join(folder, "missing", "audit.log");
    expect(() => openAuditLog(missing, silentLogger)).toThrow(`audit log ${missing} cannot be opened: make its folder`);
    expect(() => openAuditLog(folder, silentLogger)).toThrow(`audit log ${folder} cannot be opened`);
  });
});
