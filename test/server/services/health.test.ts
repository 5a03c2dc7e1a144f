import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../../gen/health/v1/health_pb.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";

let engine: FakeEngine;
let running: TestServer;
beforeEach(async () => {
  engine = new FakeEngine();
  running = await startTestServer(engine);
});
afterEach(() => running.server.close());

function client() {
  return createClient(Health, createGrpcTransport({ baseUrl: running.url }));
}

test("health follows the engine", async () => {
  for (const service of ["", "drscp.v1.DrscpService"]) {
    engine.healthy = true;
    expect((await client().check({ service })).status).toBe(Status.SERVING);
    engine.healthy = false;
    expect((await client().check({ service })).status).toBe(Status.NOT_SERVING);
  }
});

// An error's message is a header, and long headers cannot be sent.
test.each(["other", "x".repeat(4_000)])("the health of a service that is not there", async (service) => {
  const error = await client()
    .check({ service })
    .catch((cause: unknown) => ConnectError.from(cause));
  expect(error).toMatchObject({ code: Code.NotFound, rawMessage: expect.stringMatching(/^no service [ox]/) });
});

test("a watch hears of every change, of the shutdown last", async () => {
  const heard: unknown[] = [];
  for await (const { status } of client().watch({ service: "" })) {
    heard.push(status);
    if (heard.length === 1) engine.healthy = false;
    if (heard.length === 2) engine.healthy = true;
    if (heard.length === 3) void running.server.close();
  }
  expect(heard).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING, Status.NOT_SERVING]);
});
