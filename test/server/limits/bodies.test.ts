import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { session } from "../../support/http2-session.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "../../support/test-server.ts";

const engine = new FakeEngine();
const patient = { timeout: 20_000 };

async function start(limits: TestServerOptions["limits"] = {}): Promise<TestServer> {
  const running = await startTestServer(engine, { limits });
  onTestFinished(() => running.server.close());
  return running;
}

/** A request that has begun, and does not end by itself. */
function begin(on: ClientHttp2Session, path: string, type = "application/json"): ClientHttp2Stream {
  const stream = on.request({ ":method": "POST", ":path": path, "content-type": type });
  stream.on("error", () => undefined);
  return stream;
}

/** The HTTP status, once it is answered. */
async function status(stream: ClientHttp2Stream): Promise<number | undefined> {
  const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders & { ":status"?: number }];
  stream.resume();
  return headers[":status"];
}

test.each(["/api/v1/drscp/createBackup", "/drscp.v1.DrscpService/CreateBackup"])(
  "long requests that do not end take no more than their share, keep out no usual ones, and record nothing: %s",
  async (path) => {
    const running = await start({ pendingBytes: 5_000_000 });
    const before = engine.backups.length;
    const long = Buffer.from(JSON.stringify({ backupName: "x".repeat(900_000) }));
    const streams = Array.from({ length: 3 }, () => session(running)).flatMap((on) =>
      Array.from({ length: 10 }, () => begin(on, path)),
    );
    const answers = new Map<ClientHttp2Stream, number | undefined>();
    for (const stream of streams) {
      void status(stream).then((code) => answers.set(stream, code));
      stream.write(long.subarray(0, -1));
    }
    await expect.poll(() => answers.size, patient).toBeGreaterThanOrEqual(25);
    expect(new Set(answers.values())).toEqual(new Set([429]));
    expect(engine.backups).toHaveLength(before);
    expect((await post(running.url, path, { body: '{"backupName": "usual"}' })).status).toBe(200);

    // Those that were not refused are as good as any; and when all are over, there is room again.
    for (const stream of streams) if (!answers.has(stream)) stream.end(long.subarray(-1));
    await expect.poll(() => answers.size, patient).toBe(30);
    const served = [...answers.values()].filter((code) => code === 200).length;
    expect(engine.backups).toHaveLength(before + 1 + served);
    await expect.poll(async () => (await post(running.url, path, { body: long })).status, patient).toBe(200);
  },
);

test("many small pieces of a request count for what they cost", async () => {
  const running = await start({ pendingBytes: 10_000 });
  const on = session(running);
  await once(on, "remoteSettings");
  const stream = begin(on, "/api/v1/drscp/createBackup");
  const answered = status(stream);
  for (let piece = 0; piece < 50; piece += 1) {
    stream.write(" ");
    await new Promise((resolve) => on.ping(resolve));
  }
  expect(await answered).toBe(429);
});

describe("what anybody may ask is short", () => {
  const health = "/grpc.health.v1.Health";
  const tooLong = Buffer.concat([Buffer.from([0, 0, 0, 0x20, 0]), Buffer.alloc(6_000, " ")]);

  test.each([`${health}/Check`, `${health}/Watch`, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"])(
    "over gRPC: %s",
    async (path) => {
      const running = await start();
      const stream = begin(session(running), path, "application/grpc").resume();
      stream.write(tooLong);
      const [trailers] = (await once(stream, "trailers")) as [IncomingHttpHeaders];
      expect(trailers["grpc-status"]).toBe("8");
    },
  );

  test("over Connect", async () => {
    const running = await start();
    const stream = begin(session(running), `${health}/Check`);
    stream.write(tooLong);
    expect(await status(stream)).toBe(429);
  });
});
