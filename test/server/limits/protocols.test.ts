import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post, type PostOptions } from "../../support/http-json.ts";
import { encode, frame, RawHttp2 } from "../../support/http2-frames.ts";
import { certificate, startTestServer, type TestServer } from "../../support/test-server.ts";

const path = "/api/v1/drscp/listBackups";
const slow = "/api/v1/drscp/listBackupEntities";

let engine: FakeEngine;
let running: TestServer;
beforeEach(async () => {
  engine = new FakeEngine();
  running = await startTestServer(engine, { limits: { headerBytes: 4_000, streams: 3, idleTimeout: 1_000 } });
});
afterEach(() => running.server.close());

function long(length: number): PostOptions {
  return { ca: certificate, headers: { "x-long": "x".repeat(length) } };
}

function rawClient(): RawHttp2 {
  const client = new RawHttp2(running.url);
  onTestFinished(() => void client.socket.destroy());
  return client;
}

describe.each(["url", "tlsUrl"] as const)("at the %s", (url) => {
  test("headers that are too long are refused in HTTP/1.1", async () => {
    expect((await post(running[url], path, long(3_000))).status).toBe(200);
    const { status, body } = await post(running[url], path, long(5_000));
    expect(status).toBe(431);
    expect(JSON.parse(body)).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("headers that are too long are refused in HTTP/2, which says its limits beforehand", async () => {
    const session = connectHttp2(running[url], { ca: certificate });
    onTestFinished(() => session.destroy());
    const send = (length: number) =>
      session.request({ ":method": "POST", ":path": path, "x-long": "x".repeat(length) }).end();
    await once(session, "remoteSettings");
    expect(session.remoteSettings).toMatchObject({ maxHeaderListSize: 4_000, maxConcurrentStreams: 3 });
    const [headers] = (await once(send(3_000), "response")) as [Record<string, unknown>];
    expect(headers[":status"]).toBe(200);
    const refused = send(5_000);
    refused.on("error", () => undefined);
    await new Promise((resolve) => refused.once("close", resolve));
    expect(refused.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await once(send(10), "response");
  });
});

test("more requests at once than a connection may have are refused", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  engine.pause = promise;
  const client = rawClient();
  for (const stream of [1, 3, 5, 7]) client.post(stream, slow);
  await expect.poll(() => client.resetsOf(7)).toEqual([constants.NGHTTP2_REFUSED_STREAM]);
  resolve();
  const answered = () => client.received.filter(({ type }) => type === frame.headers).map(({ stream }) => stream);
  await expect.poll(answered).toEqual([1, 3, 5]);
});

test("a client that resets its requests as fast as it can is cut off, and others are served", async () => {
  const client = rawClient();
  // Of 5,000; Node looks after the 1,000 that it grants and what it has read already.
  let requests = 0;
  engine.listBackupEntities = () => {
    requests += 1;
    return Promise.resolve([]);
  };
  const closed = new Promise((resolve) => client.socket.once("close", resolve));
  for (let stream = 1; stream < 10_000; stream += 2) {
    client.post(stream, slow);
    client.cancel(stream);
  }
  expect((await post(running.url, path)).status).toBe(200);
  await closed;
  expect(requests).toBeLessThan(2_500);
});

test.each([
  ["pings", encode(frame.ping, 0, Buffer.alloc(8))],
  ["settings", encode(frame.settings, 0, Buffer.alloc(0))],
])("a flood of %s whose answers are not read is cut off, and others are served", async (_what, bytes) => {
  const { socket } = rawClient();
  socket.pause();
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const flood = Buffer.concat(Array.from({ length: 10_000 }, () => bytes));
  for (let sent = 0; sent < 200 && !socket.destroyed; sent += 1) socket.write(flood);
  expect((await post(running.url, path)).status).toBe(200);
  await closed;
});

test("pings alone keep no connection open", async () => {
  const client = rawClient();
  const pings = setInterval(() => client.send(frame.ping, 0, Buffer.alloc(8)), 50);
  await new Promise((resolve) => client.socket.once("close", resolve));
  clearInterval(pings);
  expect(client.received.some(({ type }) => type === frame.ping)).toBe(true);
});
