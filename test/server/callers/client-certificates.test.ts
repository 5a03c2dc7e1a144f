import { readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLogger } from "../../../engine/logger.ts";
import type { Identity } from "../../../server/callers/authenticator.ts";
import { openCallers } from "../../../server/callers/open-callers.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { knownClients } from "../../support/known-clients.ts";
import { file, startTestServer, type TestServer } from "../../support/test-server.ts";

const key = readFileSync(file("client-key.pem"));

function shows(name: string) {
  return { cert: readFileSync(file(`${name}.pem`)), key };
}

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
  const callers = await openCallers({ clientCertificates: true, signatures: undefined }, silentLogger);
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
      await expect(call("createBackup", {})).rejects.toThrow("who calls is not known: send a client certificate");
    }
  }
});

test("another authority in the file takes the place of the first one", async () => {
  await copyFile(file("other-authority.pem"), clientCaFile);
  const client = knownClients(running.tlsUrl, shows("stranger")).at(-1);
  await vi.waitFor(() => client?.("createBackup", {}), { timeout: 20_000, interval: 200 });
  for (const call of knownClients(running.tlsUrl, shows("stranger"))) {
    await call("createBackup", {});
    expect(engine.callers.at(-1)?.name).toBe("alice");
  }
  for (const call of knownClients(running.tlsUrl, shows("alice"))) {
    await expect(call("createBackup", {})).rejects.toThrow("the client certificate is not accepted");
  }
});
