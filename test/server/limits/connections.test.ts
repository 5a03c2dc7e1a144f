import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { Health } from "../../../gen/health/v1/health_pb.ts";
import { silentLogger } from "../../../engine/logger.ts";
import type { Authenticator } from "../../../server/callers/authenticator.ts";
import type { Callers } from "../../../server/callers/authentication.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { certificate, startTestServer, type TestServer, type TestServerOptions } from "../../support/test-server.ts";

const path = "/api/v1/drscp/listBackupEntities";
const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`;
const ports = ["clear text", "TLS"] as const;
type Port = (typeof ports)[number];
const patient = { timeout: 20_000 };

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function start(limits: TestServerOptions["limits"], engine = new FakeEngine()): Promise<TestServer> {
  const running = await startTestServer(engine, { limits: limits ?? {} });
  onTestFinished(() => running.server.close());
  return running;
}

/** An engine that answers `listBackupEntities` on request, and says how many wait for it. */
function slowEngine() {
  const engine = new FakeEngine();
  const { promise, resolve: resume } = Promise.withResolvers<void>();
  engine.pause = promise;
  const answer = engine.listBackupEntities.bind(engine);
  let count = 0;
  engine.listBackupEntities = () => {
    count += 1;
    return answer();
  };
  return { engine, entered: () => count, resume };
}

function urlOf(running: TestServer, port: Port): string {
  return port === "TLS" ? running.tlsUrl : running.url;
}

/** A TCP connection on which nothing is said. */
async function silent(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** A connection on which HTTP/1.1 can be spoken. */
async function open(running: TestServer, port: Port): Promise<Socket> {
  if (port === "clear text") return silent(running.url);
  const { hostname: host, port: number } = new URL(running.tlsUrl);
  const socket = connectTls({ host, port: Number(number), ca: certificate, ALPNProtocols: ["http/1.1"] });
  sockets.push(socket);
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  return socket;
}

async function openHttp2(running: TestServer, port: Port): Promise<ClientHttp2Session> {
  const session = connectHttp2(urlOf(running, port), { ca: certificate });
  session.on("error", () => undefined);
  onTestFinished(() => session.destroy());
  await once(session, "remoteSettings");
  return session;
}

function status(running: TestServer, port: Port): Promise<number> {
  return post(urlOf(running, port), path, { ca: certificate }).then((reply) => reply.status);
}

/** Resolves when the server has ended the connection. */
function ended(socket: Socket): Promise<void> {
  socket.resume();
  return new Promise((resolve) => (socket.closed ? resolve() : socket.once("close", () => resolve())));
}

/** Resolves when the stream is over, well or not. */
function closed(stream: ClientHttp2Stream): Promise<void> {
  stream.on("error", () => undefined);
  return new Promise((resolve) => stream.once("close", resolve));
}

/** Sends a byte now and then for as long as the connection lives. */
async function drip(socket: Socket, bytes: string): Promise<void> {
  for (let sent = 0; !socket.destroyed; sent += 1) {
    socket.write(bytes[sent % bytes.length] ?? "");
    await delay(20);
  }
}

describe.each(ports)("over %s", (port) => {
  test("600 clients that say nothing do not keep others from being served", async () => {
    const running = await start({});
    for (let hundred = 0; hundred < 6; hundred += 1) {
      await Promise.all(Array.from({ length: 100 }, () => silent(urlOf(running, port))));
      expect(await status(running, port)).toBe(200);
    }
  });

  test("the newest is refused while all others are being answered, and only then", async () => {
    const { engine, entered, resume } = slowEngine();
    const running = await start({ connections: 2 }, engine);
    const [first, second] = [await open(running, port), await openHttp2(running, port)];
    const answers = [once(first, "data"), once(second.request({ ":method": "POST", ":path": path }).end(), "response")];
    first.write(`${head}Content-Length: 2\r\n\r\n{}`);
    await expect.poll(entered).toBe(2);
    await expect(status(running, port)).rejects.toThrow(/./);
    resume();
    await Promise.all(answers);
    expect(await status(running, port)).toBe(200);
  });

  test("a client that never begins is let go", async () => {
    const running = await start({ receiveTimeout: 200 });
    await ended(await silent(urlOf(running, port)));
    expect(await status(running, port)).toBe(200);
  });

  test("a client that drips its headers is let go", async () => {
    const running = await start({ receiveTimeout: 200 });
    const socket = await open(running, port);
    socket.write(head);
    await Promise.all([drip(socket, "X: 1\r\n"), ended(socket)]);
    expect(await status(running, port)).toBe(200);
  });

  test("a client that has asked before, and drips its headers, is let go", async () => {
    const running = await start({ receiveTimeout: 200 });
    const socket = await open(running, port);
    socket.write(`${head}Content-Length: 2\r\n\r\n{}`);
    await once(socket, "data");
    socket.write(head);
    await Promise.all([drip(socket, "X: 1\r\n"), ended(socket)]);
    expect(await status(running, port)).toBe(200);
  });

  test("a client that has asked before has all the time for what it asks next", async () => {
    const running = await start({ receiveTimeout: 200, idleTimeout: 20_000 });
    const socket = await open(running, port);
    for (let asked = 0; asked < 2; asked += 1) {
      socket.write(`${head}Content-Length: 2\r\n\r\n{}`);
      const [reply] = (await once(socket, "data")) as [Buffer];
      expect(reply.toString()).toContain("200 OK");
      // As long as silent clients have, twice.
      for (let round = 0; round < 2; round += 1) await ended(await silent(running.url));
    }
  });

  test("a client that drips its body is let go, in HTTP/1.1", async () => {
    const running = await start({ receiveTimeout: 200 });
    const socket = await open(running, port);
    socket.write(`${head}Content-Length: 1000\r\n\r\n{`);
    await Promise.all([drip(socket, " "), ended(socket)]);
    expect(await status(running, port)).toBe(200);
  });

  test("a client that drips the rest of a refused body is let go, in HTTP/1.1", async () => {
    const running = await start({ receiveTimeout: 200 });
    const socket = await open(running, port);
    socket.write("POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{");
    const [reply] = (await once(socket, "data")) as [Buffer];
    expect(reply.toString()).toContain("404 Not Found");
    await Promise.all([drip(socket, " "), ended(socket)]);
    expect(await status(running, port)).toBe(200);
  });

  test.each([
    [path, "application/json"],
    ["/drscp.v1.DrscpService/ListBackups", "application/json"],
    ["/grpc.health.v1.Health/Watch", "application/grpc"],
  ])(
    "a client that drips its body loses the stream, and keeps the connection, in HTTP/2: %s",
    async (dripped, type) => {
      const running = await start({ receiveTimeout: 200 });
      const session = await openHttp2(running, port);
      const stream = session.request({ ":method": "POST", ":path": dripped, "content-type": type });
      stream.write("{");
      await closed(stream);
      const next = session.request({ ":method": "POST", ":path": path }).end();
      const [headers] = (await once(next, "response")) as [Record<string, unknown>];
      expect(headers[":status"]).toBe(200);
    },
  );

  test("a client that leaves in the middle of a request is not waited for, in HTTP/2", { timeout: 8_000 }, async () => {
    const running = await start({});
    const session = await openHttp2(running, port);
    const stream = session.request({ ":method": "POST", ":path": path });
    stream.on("error", () => undefined).write("{");
    await new Promise((resolve) => session.ping(resolve));
    session.destroy();
    await expect(running.server.close()).resolves.toBeUndefined();
  });

  test("a connection on which nothing is asked any more is let go", async () => {
    const running = await start({ idleTimeout: 200 });
    const [http1, http2] = [await open(running, port), await openHttp2(running, port)];
    http1.write(`${head}Content-Length: 2\r\n\r\n{}`);
    await Promise.all([ended(http1), once(http2, "goaway"), once(http2, "close")]);
    expect(await status(running, port)).toBe(200);
  });

  test("a reply that nobody reads is abandoned, in HTTP/2", async () => {
    const engine = new FakeEngine();
    engine.logs = "x".repeat(1_000_000);
    const running = await start({ requestTimeout: 300 }, engine);
    const session = await openHttp2(running, port);
    const body = JSON.stringify({ crn: "crn:altus:drs:us-west-1:a:restore:1" });
    const stream = session.request({ ":method": "POST", ":path": "/api/v1/drscp/getLogs" }).end(body);
    await closed(stream);
    expect(stream.rstCode).not.toBe(0);
  });

  test("a reply that nobody reads is abandoned, in HTTP/1.1", async () => {
    const engine = new FakeEngine();
    // More than the buffers of both ends take.
    engine.logs = "x".repeat(50_000_000);
    const over: object[] = [];
    const log = { ...silentLogger, info: (fields: object) => void over.push(fields) };
    const running = await startTestServer(engine, { limits: { requestTimeout: 300 }, log });
    onTestFinished(() => running.server.close());
    const socket = await open(running, port);
    const body = JSON.stringify({ crn: "crn:altus:drs:us-west-1:a:restore:1" });
    socket.pause();
    socket.write(`POST /api/v1/drscp/getLogs HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await expect.poll(() => over.length, patient).toBe(1);
    let read = 0;
    socket.on("data", (bytes: Buffer) => (read += bytes.length));
    await ended(socket);
    expect(read).toBeLessThan(engine.logs.length);
  });

  test("a call that takes too long ends without an answer: the connection in HTTP/1.1, the stream in HTTP/2", async () => {
    const { engine, entered, resume } = slowEngine();
    onTestFinished(() => resume());
    const running = await start({ requestTimeout: 300 }, engine);
    await expect(status(running, port)).rejects.toMatchObject({ code: "ECONNRESET" });
    const session = await openHttp2(running, port);
    const stream = session.request({ ":method": "POST", ":path": path }).end();
    await closed(stream);
    expect(stream.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    expect(entered()).toBe(2);
    resume();
    await once(session.request({ ":method": "POST", ":path": path }).end(), "response");
  });
});

test.each([
  ["Connect", "/drscp.v1.DrscpService/CreateBackup", 429],
  ["JSON", "/api/v1/drscp/createBackup", 400],
])(
  "a body that is too long is refused, and holds up nothing else on its connection: %s",
  async (_name, path, status) => {
    const engine = new FakeEngine();
    const running = await start({ idleTimeout: 1_000 }, engine);
    const session = await openHttp2(running, "clear text");
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/json" });
    const over = closed(stream);
    const response = once(stream, "response");
    // More than the limit and the windows of the stream and of the connection take, and never the end of it.
    stream.write(JSON.stringify({ backupName: "x".repeat(2_000_000) }));
    const [headers] = (await response) as [Record<string, unknown>];
    expect(headers[":status"]).toBe(status);
    stream.resume();
    await over;
    const body = JSON.stringify({ backupName: "y".repeat(200_000) });
    const next = session.request({ ":method": "POST", ":path": "/api/v1/drscp/createBackup" }).end(body);
    await once(next, "response");
    expect(engine.backups.map(({ name }) => name)).toEqual(["y".repeat(200_000)]);
  },
);

test("connections that made room, and refused ones, are counted in the log", async () => {
  const { engine, entered, resume } = slowEngine();
  const logged: object[] = [];
  const log = { ...silentLogger, warn: (fields: object) => void logged.push(fields) };
  const running = await startTestServer(engine, { limits: { connections: 1 }, log });
  onTestFinished(() => running.server.close());
  const first = await silent(running.url);
  const second = await silent(running.url);
  await ended(first);
  second.write(`${head}Content-Length: 2\r\n\r\n{}`);
  await expect.poll(entered).toBe(1);
  for (let opened = 0; opened < 2; opened += 1) await ended(await silent(running.url));
  await expect.poll(() => logged, patient).toEqual([{ code: "DRS-C025", refused: 2, closedForOthers: 1, open: 1 }]);
  await ended(await silent(running.url));
  await expect.poll(() => logged[1], patient).toEqual({ code: "DRS-C025", refused: 1, closedForOthers: 0, open: 1 });
  resume();
});

test("callers who are not known yet do not keep others out", async () => {
  const asks = Promise.withResolvers<void>();
  onTestFinished(() => asks.resolve());
  let asked = 0;
  const slow: Authenticator = {
    authMethod: "bearer token",
    async authenticate({ headers: { authorization: name = "" } }) {
      asked += 1;
      if (name !== "alice") await asks.promise;
      return { name, groups: [], provenBy: "bearer token" };
    },
  };
  const running = await startTestServer(new FakeEngine(), {
    limits: { connections: 3 },
    callers: { authenticators: [slow] },
  });
  onTestFinished(() => running.server.close());
  for (let opened = 0; opened < 3; opened += 1) {
    const socket = await silent(running.url);
    socket.write(`${head}Content-Length: 2\r\n\r\n{}`);
  }
  await expect.poll(() => asked, patient).toBe(3);
  const { status } = await post(running.url, path, { headers: { authorization: "alice" } });
  expect(status).toBe(200);
});

test("a call of reflection has no more time than others while it is not known who calls", async () => {
  const asks = Promise.withResolvers<undefined>();
  onTestFinished(() => asks.resolve(undefined));
  const callers: Callers = { authenticators: [{ authMethod: "bearer token", authenticate: () => asks.promise }] };
  const running = await startTestServer(new FakeEngine(), { limits: { receiveTimeout: 200 }, callers });
  onTestFinished(() => running.server.close());
  const session = await openHttp2(running, "clear text");
  const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  const stream = session.request({ ":method": "POST", ":path": reflection, "content-type": "application/grpc" });
  await closed(stream);
  expect(stream.rstCode).not.toBe(0);
});

test("a watch of health outlives the time that a request has, and makes room when there is none", async () => {
  const { engine, entered, resume } = slowEngine();
  const running = await start({ requestTimeout: 200, receiveTimeout: 100, idleTimeout: 100, connections: 2 }, engine);
  const client = createClient(Health, createGrpcTransport({ baseUrl: running.url }));
  const answers = client.watch({})[Symbol.asyncIterator]();
  await answers.next();
  const next = answers.next();
  let isOver = false;
  next.catch(() => (isOver = true));
  // Each lives as long as a client may be silent; together longer than any limit.
  for (let round = 0; round < 4; round += 1) await ended(await silent(running.url));
  expect(isOver).toBe(false);

  const asking = await open(running, "clear text");
  asking.write(`${head}Content-Length: 2\r\n\r\n{}`);
  await expect.poll(entered).toBe(1);
  await silent(running.url);
  await expect(next).rejects.toThrow(/./);
  resume();
});
