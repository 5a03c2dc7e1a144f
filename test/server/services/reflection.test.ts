import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, expect, test } from "vitest";
import { DrscpService } from "../../../gen/drscp/v1/drscp_pb.ts";
import { Health } from "../../../gen/health/v1/health_pb.ts";
import { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import type { Callers } from "../../../server/callers/authentication.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";

let running: TestServer;
afterEach(() => running.server.close());

/** The services that the server describes. */
async function services(service: typeof ServerReflection | typeof ServerReflectionV1Alpha): Promise<readonly string[]> {
  const transport = createGrpcTransport({ baseUrl: running.url });
  const client = createClient(service as typeof ServerReflection, transport);
  const question = { messageRequest: { case: "listServices", value: "" } } as const;
  async function* questions() {
    yield question;
  }
  for await (const { messageResponse } of client.serverReflectionInfo(questions()))
    if (messageResponse.case === "listServicesResponse") return messageResponse.value.service.map(({ name }) => name);
  return [];
}

const versions = [ServerReflection, ServerReflectionV1Alpha];
const nobodyIsKnown: Callers = {
  authenticators: [{ authMethod: "bearer token", authenticate: async () => undefined }],
};

test("the server describes what it serves", async () => {
  running = await startTestServer(new FakeEngine());
  for (const version of versions) {
    expect(await services(version)).toEqual(["drscp.v1.DrscpService", "grpc.health.v1.Health"]);
  }
});

test("a server without reflection does not know its paths", async () => {
  running = await startTestServer(new FakeEngine(), { reflection: false });
  for (const { typeName } of versions) {
    const headers = { "content-type": "application/grpc" };
    const reply = await post(running.url, `/${typeName}/ServerReflectionInfo`, { headers });
    expect([reply.status, reply.body]).toEqual([404, expect.stringContaining("no such path")]);
  }
  const { listBackups } = createClient(DrscpService, createGrpcTransport({ baseUrl: running.url }));
  expect((await listBackups({})).backups).toEqual([]);
});

test("strangers learn that the service is well, and not what it serves", async () => {
  running = await startTestServer(new FakeEngine(), { callers: nobodyIsKnown });
  for (const version of versions) await expect(services(version)).rejects.toMatchObject({ code: Code.Unauthenticated });
  const health = createClient(Health, createGrpcTransport({ baseUrl: running.url }));
  expect(await health.check({})).toMatchObject({ status: 1 });
});
