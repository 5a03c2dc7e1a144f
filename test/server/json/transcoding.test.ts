import { getOption } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DrscpService } from "../../../gen/drscp/v1/drscp_pb.ts";
import { http as httpRule } from "../../../gen/google/api/annotations_pb.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post, type PostOptions } from "../../support/http-json.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";

const maxBodyBytes = 2_000;
const engine = new FakeEngine();
let running: TestServer;
beforeAll(async () => {
  running = await startTestServer(engine, { maxBodyBytes });
});
afterAll(() => running.server.close());

async function call(method: string, options: PostOptions = {}) {
  const reply = await post(running.url, `/api/v1/drscp/${method}`, options);
  return { ...reply, json: JSON.parse(reply.body) as Record<string, unknown> };
}

function refused(status: number, code: string, message: string) {
  return { status, json: { code, message: expect.stringContaining(message) } };
}

test("every method has the path the reference gives it", () => {
  const paths = DrscpService.methods.map((method) => getOption(method, httpRule).pattern.value);
  expect(paths).toEqual(DrscpService.methods.map(({ localName }) => `/api/v1/drscp/${localName}`));
  expect(paths).toHaveLength(9);
});

describe("a reply", () => {
  test("is plain application/json, with lists, states and empty texts written", async () => {
    const { status, headers, json } = await call("listBackups", { body: "{}" });
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("application/json");
    expect(json).toEqual({ backups: [] });

    const { json: created } = await call("createBackup", { body: '{"backupName":"written"}' });
    const crn = JSON.stringify({ backupCrn: created["backupCrn"] });
    engine.backups[0] = {
      ...engine.describeBackup(String(created["backupCrn"])),
      state: "NOT_STARTED",
      phase: "PENDING",
    };
    expect((await call("describeBackup", { body: crn })).json["backup"]).toMatchObject({
      backupJobState: "NOT_STARTED",
      backupPhase: "PENDING",
      backupCreationTime: "2026-11-23T17:29:01Z",
      errors: [],
    });
  });

  test.each([
    ["a success", "listBackups", {}],
    ["a refusal", "describeBackup", {}],
    ["a GET", "describeBackup", { method: "GET" }],
    ["an unknown path", "nothing", {}],
  ])("carries a request id: %s", async (_, method, options) => {
    expect((await call(method, options)).headers["x-altus-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
    const headers = { "x-request-id": "my-request:1" };
    expect((await call(method, { ...options, headers })).headers["x-altus-request-id"]).toBe("my-request:1");
  });

  test("to a request id that is not fit to be repeated carries another", async () => {
    const headers = { "x-request-id": "a b", "x-altus-request-id": "x".repeat(300) };
    expect((await call("listBackups", { headers })).headers["x-altus-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });
});

test("the engine learns the client's own request id and no id made here, and no name that is not proven", async () => {
  await call("createBackup", { headers: { "x-request-id": "retry-1" } });
  await call("createBackup", { headers: { "x-altus-request-id": "retry-2" } });
  await call("createBackup");
  expect(engine.callers.slice(-3)).toEqual([
    { name: "", requestId: "retry-1" },
    { name: "", requestId: "retry-2" },
    { name: "", requestId: "" },
  ]);
});

describe("a request is taken", () => {
  test.each<[string, PostOptions]>([
    ["with no body", {}],
    ["with no content type", { body: "{}", headers: { "Content-Type": undefined } }],
    ["with a charset", { body: "{}", headers: { "Content-Type": "application/json;  charset=UTF-8" } }],
    ["with a query", { body: "{}" }],
    ["with empty filters", { body: '{"backupName": "", "jobStates": []}' }],
    ["with null for a filter", { body: '{"backupName": null, "jobStates": null}' }],
  ])("%s", async (what, options) => {
    const { status } = await call(what === "with a query" ? "listBackups?a=b" : "listBackups", options);
    expect(status).toBe(200);
  });
});

describe("a request is refused with INVALID_ARGUMENT", () => {
  test.each([
    ["unknown member", "createBackup", '{"backupNmae": "x"}', 'unknown member "backupNmae"'],
    ["a member too many", "deleteBackup", '{"backupCrn": "x", "force": true}', 'unknown member "force"'],
    ["a member where there is none", "listBackupEntities", '{"a": 1}', 'unknown member "a"'],
    ["__proto__", "listBackups", '{"__proto__": {}}', "__proto__"],
    ["wrong type", "createBackup", '{"backupName": 5}', 'member "backupName" must be a string'],
    ["wrong type of a list", "listBackups", '{"jobStates": "FAILED"}', 'member "jobStates" must be a list'],
    ["unknown enum value", "listBackups", '{"jobStates": ["FAILED", "BROKEN"]}', 'member "jobStates"'],
    ["unknown enum number", "listRestores", '{"jobStates": [77]}', "jobStates: 77"],
    ["member given twice", "deleteBackup", '{"backupCrn": "a", "backupCrn": "b"}', "backupCrn"],
    ["missing backupCrn", "restoreBackup", "{}", "backupCrn is required"],
    ["missing backupCrn", "deleteBackup", "", "backupCrn is required"],
    ["missing backupCrn", "describeBackup", '{"backupCrn": ""}', "backupCrn is required"],
    ["missing restoreCrn", "describeRestore", "{}", "restoreCrn is required"],
    ["missing crn", "getLogs", '{"crn": null}', "crn is required"],
    ["no JSON", "createBackup", "{backupName: 1}", "not JSON"],
    ["an array", "createBackup", "[]", "must be a JSON object"],
    ["null", "createBackup", "null", "must be a JSON object"],
    ["deep nesting", "createBackup", "[".repeat(1_900), "not JSON"],
    ["too large", "createBackup", JSON.stringify({ backupName: "x".repeat(maxBodyBytes) }), "larger than 2000 bytes"],
  ])("%s: %s", async (_, method, body, message) => {
    expect(await call(method, { body })).toMatchObject(refused(400, "INVALID_ARGUMENT", message));
  });

  test("a body far too large, which is still answered", async () => {
    const body = Buffer.alloc(20_000_000, " ");
    expect(await call("createBackup", { body })).toMatchObject(refused(400, "INVALID_ARGUMENT", "larger than"));
  });

  test("another content type, an encoding, and bytes that are no text", async () => {
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    expect(await call("listBackups", { headers: form })).toMatchObject(
      refused(400, "INVALID_ARGUMENT", "content-type"),
    );
    const zipped = { "Content-Encoding": "gzip" };
    expect(await call("listBackups", { headers: zipped })).toMatchObject(refused(400, "INVALID_ARGUMENT", "gzip"));
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]);
    expect(await call("listBackups", { body })).toMatchObject(refused(400, "INVALID_ARGUMENT", "UTF-8"));
  });
});

test("another HTTP method is answered 405 with Allow, an unknown path 404", async () => {
  const got = await call("listBackups", { method: "GET" });
  expect(got).toMatchObject(refused(405, "UNIMPLEMENTED", "POST"));
  expect(got.headers.allow).toBe("POST");
  expect(await call("listBackup")).toMatchObject(refused(404, "NOT_FOUND", "/api/v1/drscp/listBackup"));
  expect(await call("listBackups/")).toMatchObject(refused(404, "NOT_FOUND", "/api/v1/drscp/listBackups/"));
});
