import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { credentials } from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import { DrsError } from "../../../engine/errors.ts";
import { DrscpService } from "../../../gen/drscp/v1/drscp_pb.ts";
import { Health, HealthCheckResponse_ServingStatus } from "../../../gen/health/v1/health_pb.ts";
import { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.ts";
import type { Authenticator } from "../../../server/callers/authenticator.ts";
import type { AuthMethod } from "../../../server/callers/identity.ts";
import type { Callers } from "../../../server/callers/authentication.ts";
import { grpcJsClient } from "../../support/api-client.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { knownClients } from "../../support/known-clients.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";

let engine: FakeEngine;
let running: TestServer | undefined;
afterEach(() => running?.server.close());

async function start(callers: Callers): Promise<TestServer> {
  engine = new FakeEngine();
  running = await startTestServer(engine, { callers });
  return running;
}

/** Takes the name that a header says; `wrong` is one that is refused. */
function byHeader(header: string, authMethod: AuthMethod): Authenticator {
  return {
    authMethod,
    async authenticate({ headers }) {
      const name = headers[header];
      if (name === "wrong")
        throw new DrsError("UNAUTHENTICATED", `the ${authMethod} is not accepted`, { id: "DRS-C002" });
      return typeof name === "string" ? { name, groups: ["operators"], provenBy: authMethod } : undefined;
    },
  };
}

const asked = { authenticators: [byHeader("x-token", "bearer token"), byHeader("x-signed", "CDP signature")] };

function named(headers: Readonly<Record<string, string>>) {
  return { headers: () => headers };
}

test("who shows nothing is refused on every protocol, with what could be shown and a request id", async () => {
  const { url } = await start(asked);
  const message = "the caller is unknown: send a CDP signature or a bearer token";
  for (const call of knownClients(url, {})) {
    await expect(call("createBackup", {})).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: expect.stringContaining(message),
    });
  }
  const grpcJs = grpcJsClient(new URL(url).host, credentials.createInsecure());
  await expect(grpcJs("createBackup", {})).rejects.toThrow("UNAUTHENTICATED: the caller is unknown");
  grpcJs.close();
  const none = { "x-altus-auth": undefined, "x-altus-date": undefined };
  const reply = await post(url, "/api/v1/drscp/createBackup", { headers: none });
  expect(reply.status).toBe(401);
  expect(JSON.parse(reply.body)).toEqual({ code: "UNAUTHENTICATED", message });
  expect(reply.headers["x-altus-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  expect(engine.callers).toEqual([]);
});

test("a refused request's body is not read", async () => {
  const { url } = await start(asked);
  for (const path of ["/api/v1/drscp/createBackup", "/drscp.v1.DrscpService/CreateBackup"]) {
    const { status } = await post(url, path, { body: "no JSON", headers: { "x-signed": "wrong" } });
    expect(status).toBe(401);
  }
});

test("the first way that applies decides: nothing after it makes a wrong one good", async () => {
  const { url } = await start(asked);
  for (const call of knownClients(url, named({ "x-signed": "alice", "x-token": "wrong" }))) {
    await call("createBackup", {});
    expect(engine.callers.at(-1)?.name).toBe("alice");
  }
  for (const call of knownClients(url, named({ "x-signed": "wrong", "x-token": "bob" }))) {
    await expect(call("createBackup", {})).rejects.toThrow("the CDP signature is not accepted");
  }
  for (const call of knownClients(url, named({ "x-token": "bob" }))) {
    await call("createBackup", {});
    expect(engine.callers.at(-1)?.name).toBe("bob");
  }
});

test("each call's right is asked for, and a refusal names it", async () => {
  const rights: string[] = [];
  const { url } = await start({
    ...asked,
    async authorize({ name, groups }, right) {
      rights.push(`${name} of ${groups.join()} ${right}`);
      if (right === "drscp/createBackup")
        throw new DrsError("PERMISSION_DENIED", `${name} has no right ${right}`, { id: "DRS-C012" });
    },
  });
  for (const call of knownClients(url, named({ "x-signed": "alice" }))) {
    await expect(call("createBackup", {})).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      message: expect.stringContaining("alice has no right drscp/createBackup"),
    });
    await call("listBackups", {});
    expect(rights.splice(0)).toEqual(["alice of operators drscp/createBackup", "alice of operators drscp/listBackups"]);
  }
  expect(engine.callers).toEqual([]);
});

test("a way that cannot be asked now is UNAVAILABLE, which a client repeats", async () => {
  const { url } = await start({
    authenticators: [
      {
        authMethod: "bearer token",
        authenticate: () => Promise.reject(new DrsError("UNAVAILABLE", "the cluster does not answer")),
      },
    ],
  });
  for (const call of knownClients(url, {})) {
    await expect(call("createBackup", {})).rejects.toMatchObject({ code: "UNAVAILABLE" });
  }
});

test("health is open to everybody, the description of the service is not", async () => {
  const { url } = await start(asked);
  for (const transport of [
    createGrpcTransport({ baseUrl: url }),
    createConnectTransport({ baseUrl: url, httpVersion: "2" }),
  ]) {
    const { status } = await createClient(Health, transport).check({ service: DrscpService.typeName });
    expect(status).toBe(HealthCheckResponse_ServingStatus.SERVING);
    const described = createClient(ServerReflection, transport).serverReflectionInfo(
      (async function* () {
        yield { messageRequest: { case: "listServices", value: "" } } as const;
      })(),
    );
    await expect(described[Symbol.asyncIterator]().next()).rejects.toThrow("the caller is unknown");
  }
});
