import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLogger } from "../../../engine/logger.ts";
import { openCallers } from "../../../server/callers/open-callers.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post, type PostOptions } from "../../support/http-json.ts";
import { knownClients } from "../../support/known-clients.ts";
import { certificate, file, startTestServer, type TestServer } from "../../support/test-server.ts";

let engine: FakeEngine;
let running: TestServer;
beforeEach(() => {
  engine = new FakeEngine();
});
afterEach(() => running.server.close());

async function status(url: string, options: PostOptions): Promise<number> {
  return (await post(url, "/api/v1/drscp/createBackup", options)).status;
}

test("a foreign page in a browser of this machine cannot call a service that asks nobody", async () => {
  running = await startTestServer(engine);
  const { host, port } = new URL(running.url);
  for (const origin of [
    "https://evil.example",
    "null",
    `https://${host}.evil.example`,
    `http://localhost:${Number(port) + 1}`,
  ]) {
    expect(await status(running.url, { headers: { origin, "Content-Type": undefined } })).toBe(403);
    for (const call of knownClients(running.url, { headers: () => ({ origin }) })) {
      await expect(call("createBackup", {})).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    }
  }
  // The name was let point here after the page had been loaded from elsewhere.
  const rebound = { origin: `http://evil.example:${port}`, Host: `evil.example:${port}` };
  expect(await status(running.url, { headers: rebound })).toBe(403);
  expect(engine.callers).toEqual([]);
  expect(await status(running.url, { headers: { origin: running.url } })).toBe(200);
  expect(
    await status(running.url, { headers: { origin: `http://localhost:${port}`, Host: `localhost:${port}` } }),
  ).toBe(200);
});

test("nor one that has its reader's browser send a client certificate along", async () => {
  const callers = await openCallers(
    { clientCertificates: true, signatures: undefined },
    silentLogger,
    () => engine.auth,
  );
  running = await startTestServer(engine, { callers, tls: { clientCaFile: file("authority.pem") } });
  const shown = { cert: readFileSync(file("alice.pem")), key: readFileSync(file("client-key.pem")), ca: certificate };
  expect(await status(running.tlsUrl, { ...shown, headers: { origin: "https://evil.example" } })).toBe(403);
  expect(engine.callers).toEqual([]);
  expect(await status(running.tlsUrl, { ...shown, headers: { origin: running.tlsUrl } })).toBe(200);
});
