import { once } from "node:events";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLogger } from "../../../engine/logger.ts";
import type { TlsConfig } from "../../../server/settings/config.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { file, startTestServer, type TestServer } from "../../support/test-server.ts";

let folder: string;
let files: { certificateFile: string; keyFile: string };
let running: TestServer;
const error = vi.fn<(fields: object, text: string) => void>();
beforeEach(async () => {
  error.mockReset();
  folder = await mkdtemp(join(tmpdir(), "tls-"));
  files = { certificateFile: join(folder, "certificate.pem"), keyFile: join(folder, "key.pem") };
  await replace("certificate.pem", "key.pem");
  running = await startTestServer(new FakeEngine(), { tls: files, log: { ...silentLogger, error } });
});
afterEach(async () => {
  await running.server.close();
  await rm(folder, { recursive: true });
});

async function replace(certificate: string, key: string): Promise<void> {
  await copyFile(file(certificate), files.certificateFile);
  await copyFile(file(key), files.keyFile);
}

function startWith(tls: Partial<TlsConfig>): Promise<TestServer> {
  return startTestServer(new FakeEngine(), { tls });
}

/** Connects, and leaves the certificate to the test. */
async function secured(options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { hostname, port } = new URL(running.tlsUrl);
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false, ...options });
  await once(socket, "secureConnect");
  return socket;
}

async function serialNumber(): Promise<string | undefined> {
  const socket = await secured();
  const { serialNumber } = socket.getPeerX509Certificate() ?? {};
  socket.destroy();
  return serialNumber;
}

async function statusOver(session: ClientHttp2Session): Promise<unknown> {
  const stream = session.request({ ":method": "POST", ":path": "/api/v1/drscp/listBackups" });
  stream.resume().end();
  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  return headers[":status"];
}

const soon = { timeout: 20_000, interval: 100 };

test.each(["TLSv1.2", "TLSv1.3"] as const)("%s is spoken", async (version) => {
  const socket = await secured({ minVersion: version, maxVersion: version });
  expect(socket.getProtocol()).toBe(version);
  socket.destroy();
});

test.each(["TLSv1", "TLSv1.1"] as const)("%s is refused, also where a client's own rules allow it", async (version) => {
  const old = { minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" } as const;
  await expect(secured(old)).rejects.toThrow(/protocol version/);
});

test("a new certificate is taken without a restart, and connections that are there stay", async () => {
  const before = await serialNumber();
  const session = connectHttp2(running.tlsUrl, { rejectUnauthorized: false });
  expect(await statusOver(session)).toBe(200);
  await replace("renewed.pem", "renewed-key.pem");
  await vi.waitFor(async () => expect(await serialNumber()).not.toBe(before), soon);
  expect(await statusOver(session)).toBe(200);
  session.close();
});

test("a certificate without its key leaves the old pair in use, and is logged, until both are there", async () => {
  const before = await serialNumber();
  await copyFile(file("renewed.pem"), files.certificateFile);
  await vi.waitFor(() => expect(error).toHaveBeenCalledOnce(), soon);
  expect(error.mock.calls[0]?.[0]).toMatchObject({ err: { message: expect.stringContaining(files.keyFile) } });
  expect(await serialNumber()).toBe(before);
  await copyFile(file("renewed-key.pem"), files.keyFile);
  await vi.waitFor(async () => expect(await serialNumber()).not.toBe(before), soon);
});

test("a start with a pair that is none says which files", async () => {
  await expect(startWith({ certificateFile: file("renewed.pem") })).rejects.toThrow(
    /renewed\.pem and .*key\.pem are no/,
  );
  const clientCaFile = join(folder, "ca.pem");
  await writeFile(clientCaFile, "");
  await expect(startWith({ clientCaFile })).rejects.toThrow(`${clientCaFile} holds no certificate in PEM`);
  await copyFile(file("alice.pem"), clientCaFile);
  await expect(startWith({ clientCaFile })).rejects.toThrow("CN=alice is not the certificate of an authority");
});
