import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { DrsError, type ErrorCode } from "../../engine/errors.ts";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";
import { FakeEngine } from "../support/fake-engine.ts";
import { post } from "../support/http-json.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const engine = new FakeEngine();
let logged: { fields: Record<string, unknown>; text: string }[] = [];
const record = (fields: object, text: string) => void logged.push({ fields: { ...fields }, text });
let running: TestServer;

beforeAll(async () => {
  running = await startTestServer(engine, { log: { info: record, warn: record, error: record } });
});
afterAll(() => running.server.close());
beforeEach(() => {
  logged = [];
});

function overJson() {
  return post(running.url, "/api/v1/drscp/listBackupEntities");
}

function overGrpc() {
  return createClient(DrscpService, createGrpcTransport({ baseUrl: running.url })).listBackupEntities({});
}

describe("an error of the engine", () => {
  test.each<[ErrorCode, number, string, Code]>([
    ["INVALID_ARGUMENT", 400, "INVALID_ARGUMENT", Code.InvalidArgument],
    ["UNAUTHENTICATED", 401, "UNAUTHENTICATED", Code.Unauthenticated],
    ["PERMISSION_DENIED", 403, "PERMISSION_DENIED", Code.PermissionDenied],
    ["NOT_FOUND", 404, "NOT_FOUND", Code.NotFound],
    ["ALREADY_EXISTS", 409, "ALREADY_EXISTS", Code.AlreadyExists],
    ["FAILED_PRECONDITION", 409, "FAILED_PRECONDITION", Code.FailedPrecondition],
    ["RESOURCE_EXHAUSTED", 429, "RESOURCE_EXHAUSTED", Code.ResourceExhausted],
    ["INTERNAL", 500, "INTERNAL", Code.Internal],
    ["DATA_LOSS", 500, "INTERNAL", Code.DataLoss],
    ["UNIMPLEMENTED", 501, "UNIMPLEMENTED", Code.Unimplemented],
    ["UNAVAILABLE", 503, "UNAVAILABLE", Code.Unavailable],
  ])("%s is %i %s in JSON and keeps its code over gRPC", async (code, status, jsonCode, grpcCode) => {
    engine.failure = new DrsError(code, "the thing is so: do this", { id: "DRS-C020" });
    const reply = await overJson();
    expect(reply.status).toBe(status);
    expect(reply.headers["content-type"]).toBe("application/json");
    expect(JSON.parse(reply.body)).toEqual({ code: jsonCode, message: "the thing is so: do this" });
    expect(reply.headers["x-drs-message-code"]).toBe("DRS-C020");
    const error = await overGrpc().then(
      () => expect.unreachable(),
      (cause: unknown) => ConnectError.from(cause),
    );
    expect(error.metadata.get("x-drs-message-code")).toBe("DRS-C020");
    expect(error).toMatchObject({ code: grpcCode, rawMessage: "the thing is so: do this" });
  });
});

test("a fault of the service's own is logged whole, and told by its request id alone", async () => {
  engine.failure = new Error("password=hunter2 leaked into an error");
  const reply = await overJson();
  const requestId = String(reply.headers["x-altus-request-id"]);
  expect(reply.status).toBe(500);
  expect(JSON.parse(reply.body)).toEqual({ code: "INTERNAL", message: `internal error, request id ${requestId}` });
  expect(logged).toContainEqual({ fields: { err: engine.failure, requestId }, text: "call failed" });

  const error = ConnectError.from(await overGrpc().catch((error: unknown) => error));
  expect(error.rawMessage).toMatch(/^internal error, request id /);
});

test("every call is logged once with how it ended, and without its body", async () => {
  engine.failure = new DrsError("NOT_FOUND", "not there");
  await post(running.url, "/api/v1/drscp/listBackupEntities", { headers: { "x-request-id": "one" } });
  await post(running.url, "/api/v1/drscp/createBackup", { body: '{"backupName":"private"}' });
  await post(running.url, "/drscp.v1.DrscpService/CreateBackup", { body: '{"nonsense":1}' });
  await expect.poll(() => logged.filter(({ text }) => text === "call")).toHaveLength(3);
  const calls = logged.filter(({ text }) => text === "call").map(({ fields }) => fields);
  expect(calls).toMatchObject([
    { method: "/api/v1/drscp/listBackupEntities", status: 404, outcome: "NOT_FOUND", requestId: "one" },
    { method: "/api/v1/drscp/createBackup", status: 200, outcome: "OK" },
    { method: "/drscp.v1.DrscpService/CreateBackup", status: 400, outcome: "REFUSED" },
  ]);
  expect(JSON.stringify(logged)).not.toContain("private");
});

test("Connect and gRPC refuse unknown members and unknown enum values too", async () => {
  const path = "/drscp.v1.DrscpService/ListBackups";
  for (const body of ['{"backupNmae":"x"}', '{"jobStates":["BROKEN"]}', '{"jobStates":[77]}']) {
    const reply = await post(running.url, path, { body });
    expect(reply.status).toBe(400);
    expect(JSON.parse(reply.body)).toMatchObject({ code: "invalid_argument" });
  }
  const client = createClient(DrscpService, createGrpcTransport({ baseUrl: running.url }));
  const error = await client
    .listBackups({ jobStates: [77 as never] })
    .catch((cause: unknown) => ConnectError.from(cause));
  expect(error).toMatchObject({ code: Code.InvalidArgument, rawMessage: expect.stringContaining("jobStates: 77") });
});
