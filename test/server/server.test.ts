import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLogger } from "../../engine/logger.ts";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";
import { createServer } from "../../server/server.ts";
import { openTlsMaterial } from "../../server/http/tls-material.ts";
import { FakeEngine } from "../support/fake-engine.ts";
import { post } from "../support/http-json.ts";
import { certificate, certificateFile, keyFile, startTestServer, type TestServer } from "../support/test-server.ts";

let engine: FakeEngine;
let running: TestServer;
beforeEach(async () => {
  engine = new FakeEngine();
  running = await startTestServer(engine);
});
afterEach(() => running.server.close());

function port(): number {
  return Number(new URL(running.url).port);
}

/** Sends bytes as they are, and returns all that comes back until the server ends the connection. */
function raw(bytes: string): Promise<string> {
  const socket = connect(port(), "127.0.0.1");
  socket.write(bytes, "latin1");
  return text(socket);
}

async function stillServes(): Promise<boolean> {
  return (await post(running.url, "/api/v1/drscp/listBackups")).status === 200;
}

describe("a request that would upset a server", () => {
  test.each(["Host: [", "Host: a b", "Host:", "X: no host in HTTP/1.0"])("%s", async (header) => {
    for (const path of ["/api/v1/drscp/listBackups", "/drscp.v1.DrscpService/ListBackups"]) {
      const version = header.startsWith("Host") ? "1.1" : "1.0";
      const type = "Content-Type: application/json\r\nConnection: close\r\nContent-Length: 2";
      const reply = await raw(`POST ${path} HTTP/${version}\r\n${header}\r\n${type}\r\n\r\n{}`);
      expect(reply).toMatch(/^HTTP\/1\.1 400 [^]*x-altus-request-id: [^]*"INVALID_ARGUMENT"/);
    }
    expect(await stillServes()).toBe(true);
  });

  test.each([
    ["no HTTP at all", "hello\r\n\r\n", 400],
    ["a header that is none", "POST /api/v1/drscp/listBackups HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400],
    ["headers without end", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(100_000)}\r\n\r\n`, 431],
  ])("%s", async (_name, bytes, status) => {
    const reply = await raw(bytes);
    expect(reply).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*x-altus-request-id: [^]*"INVALID_ARGUMENT"`));
    expect(await stillServes()).toBe(true);
  });

  test("a long body whose answer is known before its end keeps no later request of the connection waiting", async () => {
    const body = `\x00\x7f\xff\xff\xff${"x".repeat(500_000)}`; // says that it is longer than any message may be
    const first = `POST /drscp.v1.DrscpService/ListBackups HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web+proto`;
    const second =
      "POST /api/v1/drscp/listBackups HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    const reply = await raw(`${first}\r\nContent-Length: ${body.length}\r\n\r\n${body}${second}`);
    expect(reply).toMatch(/^HTTP\/1\.1 200 [^]*grpc-status: 8[^]*HTTP\/1\.1 200 [^]*"backups"/);
  });

  test("a bad authority over HTTP/2", async () => {
    const session = connectHttp2(running.url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/drscp.v1.DrscpService/ListBackups",
      ":authority": "[",
    });
    stream.end();
    stream.resume();
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    expect(headers[":status"]).toBe(400);
    session.close();
    expect(await stillServes()).toBe(true);
  });

  test("a client that leaves in the middle of its request", async () => {
    const socket = connect(port(), "127.0.0.1");
    socket.write("POST /api/v1/drscp/createBackup HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{");
    await once(socket, "connect");
    socket.destroy();
    expect(await stillServes()).toBe(true);
    expect(engine.backups).toHaveLength(0);
  });

  test.each(["/api/v1/drscp/createBackup", "/drscp.v1.DrscpService/CreateBackup"])(
    "an HTTP/2 stream that is reset in the middle: %s",
    async (path) => {
      const session = connectHttp2(running.url);
      const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/json" });
      stream.on("error", () => undefined);
      stream.write("{");
      await once(session, "remoteSettings");
      stream.close(constants.NGHTTP2_CANCEL);
      await once(stream, "close");
      session.destroy();
      expect(await stillServes()).toBe(true);
      expect(engine.backups).toHaveLength(0);
    },
  );

  test("a client that leaves before the answer", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    engine.pause = promise;
    const session = connectHttp2(running.url);
    for (const path of ["/api/v1/drscp/listBackupEntities", "/drscp.v1.DrscpService/ListBackupEntities"]) {
      const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/json" });
      stream.on("error", () => undefined);
      stream.end("{}");
    }
    await once(session, "remoteSettings");
    engine.failure = new Error("too late");
    session.destroy();
    resolve();
    expect(await stillServes()).toBe(true);
  });

  test("bytes that are no protocol", async () => {
    expect(await raw("\x16\x03\x01 nonsense\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    expect(await stillServes()).toBe(true);
  });
});

test("the clear text port distinguishes the protocols, byte by byte", async () => {
  const socket = connect(port(), "127.0.0.1");
  socket.setNoDelay(true);
  for (const byte of "POST /api/v1/drscp/listBackups HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    socket.write(byte);
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 [^]*\{"backups":\[\]\}/);
});

test.each([["h2"], ["http/1.1"]])("TLS offers %s", async (protocol) => {
  const { hostname, port } = new URL(running.tlsUrl);
  const socket = connectTls({ host: hostname, port: Number(port), ca: certificate, ALPNProtocols: [protocol] });
  await once(socket, "secureConnect");
  expect(socket.alpnProtocol).toBe(protocol);
  socket.destroy();
});

test("a log of 3 MiB arrives whole over every protocol", async () => {
  engine.logs = `${"x".repeat(1_023)}\n`.repeat(3 * 1_024);
  const crn = "crn:altus:drs:us-west-1:a:restore:1";
  const reply = await post(running.url, "/api/v1/drscp/getLogs", { body: JSON.stringify({ crn }) });
  expect(JSON.parse(reply.body)).toEqual({ logs: engine.logs });
  const options = { baseUrl: running.url, httpVersion: "2" } as const;
  for (const create of [createGrpcTransport, createGrpcWebTransport, createConnectTransport]) {
    const { logs } = await createClient(DrscpService, create(options)).getLogs({ crn });
    expect(logs).toBe(engine.logs);
  }
});

describe("closing", () => {
  test.each(["HTTP/1.1 kept alive", "gRPC", "TLS"])("lets a call finish and takes no more: %s", async (kind) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    engine.pause = promise;
    const secure = kind === "TLS";
    const transport =
      kind === "gRPC"
        ? createGrpcTransport({ baseUrl: running.url })
        : createConnectTransport({
            baseUrl: secure ? running.tlsUrl : running.url,
            httpVersion: "1.1",
            nodeOptions: secure ? { ca: certificate } : {},
          });
    const { listBackupEntities } = createClient(DrscpService, transport);
    const entered = Promise.withResolvers<void>();
    const original = engine.listBackupEntities.bind(engine);
    engine.listBackupEntities = () => {
      entered.resolve();
      return original();
    };
    const answer = listBackupEntities({});
    await entered.promise;
    const closed = running.server.close();
    await expect(post(secure ? running.tlsUrl : running.url, "/", { ca: certificate })).rejects.toThrow(/ECONNREFUSED/);
    resolve();
    expect((await answer).items).toEqual(["cdp", "vault-system"]);
    await closed;
  });

  test("does not wait for silent clients", async () => {
    const socket = connect(port(), "127.0.0.1");
    await once(socket, "connect");
    expect(await stillServes()).toBe(true);
    const started = Date.now();
    await running.server.close();
    expect(Date.now() - started).toBeLessThan(5_000);
    socket.destroy();
  });
});

test("a port that is taken is said, and the other one is given back", async () => {
  const free = { host: "127.0.0.1", port: port() };
  await running.server.close();
  const other = await startTestServer(engine);
  const taken = { host: "127.0.0.1", port: Number(new URL(other.tlsUrl).port) };
  const material = await openTlsMaterial({ address: taken, certificateFile, keyFile }, silentLogger);
  const tls = { address: taken, material };
  const start = createServer({ engine, log: silentLogger }, { listen: free, tls, maxBodyBytes: 1 });
  await expect(start).rejects.toThrow(/EADDRINUSE/);
  await expect(post(`http://127.0.0.1:${free.port}`, "/")).rejects.toThrow(/ECONNREFUSED/);
  await other.server.close();
});
