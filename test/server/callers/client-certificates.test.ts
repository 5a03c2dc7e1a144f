import { readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLogger } from "../../../engine/logger.ts";
import type { Identity } from "../../../server/callers/identity.ts";
import { openCallers } from "../../../server/callers/open-callers.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { knownClients } from "../../support/known-clients.ts";
import { certificate, file, startTestServer, type TestServer } from "../../support/test-server.ts";

const key = readFileSync(file("client-key.pem"));

function shows(name: string) {
  return { cert: readFileSync(file(`${name}.pem`)), key };
}

const soon = { timeout: 20_000, interval: 200 };
const seen: Identity[] = [];
let engine: FakeEngine;
let running: TestServer;
let folder: string;
let clientCaFile: string;
beforeEach(async () => {
  engine = new FakeEngine();
  folder = await mkdtemp(join(tmpdir(), "client-ca-"));
  clientCaFile = join(folder, "ca.pem");
  await copyFile(file("authority.pem"), clientCaFile);
  const callers = await openCallers(
    { clientCertificates: true, signatures: undefined },
    silentLogger,
    () => engine.auth,
  );
  running = await startTestServer(engine, {
    callers: callers && { ...callers, authorize: async (caller) => void seen.push(caller) },
    tls: { clientCaFile },
  });
});
afterEach(async () => {
  await running.server.close();
  await rm(folder, { recursive: true });
});

test("a certificate's common name calls, and its organizations are the groups", async () => {
  for (const call of knownClients(running.tlsUrl, shows("alice"))) {
    await call("createBackup", {});
    await call("createBackup", {});
    expect(engine.callers.at(-1)?.name).toBe("alice");
    expect(seen.at(-1)).toEqual({
      name: "alice",
      groups: ["operators", "auditors"],
      provenBy: "client certificate",
    });
  }
});

test.each(["stranger", "expired", "server-only", "nameless"])("a certificate is refused: %s", async (name) => {
  for (const call of knownClients(running.tlsUrl, shows(name))) {
    await expect(call("createBackup", {})).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: expect.stringContaining("the client certificate is not accepted"),
    });
  }
  expect(engine.callers).toEqual([]);
});

test("without a certificate, or without TLS, nobody is known", async () => {
  for (const url of [running.tlsUrl, running.url]) {
    for (const call of knownClients(url, {})) {
      await expect(call("createBackup", {})).rejects.toThrow("the caller is unknown: send a client certificate");
    }
  }
});

/** Asks over a connection of its own, with the TLS session of an earlier one where there is one. */
async function ask(earlier?: Buffer): Promise<{ reply: string; resumed: boolean; session: Buffer | undefined }> {
  const { hostname, port } = new URL(running.tlsUrl);
  const options = { host: hostname, port: Number(port), ca: certificate, ...shows("alice") };
  const socket = connect({ ...options, ...(earlier && { session: earlier }) });
  let session: Buffer | undefined;
  let resumed = false;
  socket.once("secureConnect", () => (resumed = socket.isSessionReused()));
  socket.on("session", (given) => (session = given));
  socket.write("POST /api/v1/drscp/createBackup HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const reply = await text(socket);
  return { reply, resumed, session };
}

test("a TLS session proves what it did as long as its authority is in the file", async () => {
  const { session } = await ask();
  const again = await ask(session);
  expect(again).toMatchObject({ resumed: true, reply: expect.stringMatching(/^HTTP\/1\.1 200 /) });
  expect(engine.callers.map(({ name }) => name)).toEqual(["alice", "alice"]);

  await copyFile(file("other-authority.pem"), clientCaFile);
  const refused = { resumed: false, reply: expect.stringMatching(/^HTTP\/1\.1 401 /) };
  await vi.waitFor(async () => expect(await ask(session)).toMatchObject(refused), soon);
});

test("another authority in the file takes the place of the first one", async () => {
  await copyFile(file("other-authority.pem"), clientCaFile);
  const client = knownClients(running.tlsUrl, shows("stranger")).at(-1);
  await vi.waitFor(() => client?.("createBackup", {}), soon);
  for (const call of knownClients(running.tlsUrl, shows("stranger"))) {
    await call("createBackup", {});
    expect(engine.callers.at(-1)?.name).toBe("alice");
  }
  for (const call of knownClients(running.tlsUrl, shows("alice"))) {
    await expect(call("createBackup", {})).rejects.toThrow("the client certificate is not accepted");
  }
});
