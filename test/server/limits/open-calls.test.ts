import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from "node:http2";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, onTestFinished, test } from "vitest";
import { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../../gen/health/v1/health_pb.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { memoryInUse } from "../../support/memory-in-use.ts";
import { session } from "../../support/http2-session.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "../../support/test-server.ts";

/** A whole gRPC message without members. */
const empty = Buffer.alloc(5);
const okay = "0";
const exhausted = "8";
const patient = { timeout: 20_000 };

async function start(limits: TestServerOptions["limits"] = {}, engine = new FakeEngine()): Promise<TestServer> {
  const running = await startTestServer(engine, { limits });
  onTestFinished(() => running.server.close());
  return running;
}

function begin(on: ClientHttp2Session, method: string): ClientHttp2Stream {
  const path = `/grpc.health.v1.Health/${method}`;
  const stream = on.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
  stream.on("error", () => undefined);
  return stream;
}

/** Begins a watch: resolves to the first answer, or to the status of a refusal. */
async function watch(on: ClientHttp2Session): Promise<Buffer | string> {
  const stream = begin(on, "Watch").end(empty);
  const answer = once(stream, "data").then(([bytes]) => bytes as Buffer);
  const refusal = once(stream, "trailers").then(([{ "grpc-status": code }]) => String(code));
  return Promise.race([answer, refusal]);
}

async function check(on: ClientHttp2Session): Promise<string> {
  const stream = begin(on, "Check").end(empty).resume();
  const [{ "grpc-status": code }] = (await once(stream, "trailers")) as [IncomingHttpHeaders];
  return String(code);
}

function healthOf({ url }: TestServer) {
  return createClient(Health, createGrpcTransport({ baseUrl: url }));
}

/** Opens a hundred watches on each of the connections, and counts the refused ones. */
async function refusedOf(sessions: readonly ClientHttp2Session[]): Promise<number> {
  const answers = await Promise.all(sessions.flatMap((on) => Array.from({ length: 100 }, () => watch(on))));
  return answers.filter((answer) => answer === exhausted).length;
}

test("of thousands of watches those beyond the limit are refused, checks are answered, and nothing is left", async () => {
  const running = await start();
  const memory: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const sessions = Array.from({ length: 20 }, () => session(running));
    expect(await refusedOf(sessions)).toBeGreaterThanOrEqual(1_000);
    expect(await check(session(running))).toBe(okay);
    const closed = sessions.map((on) => once(on, "close"));
    for (const on of sessions) on.destroy();
    await Promise.all(closed);
    // Those that have ended make room once the server has noticed.
    await expect.poll(() => watch(session(running)), patient).toBeInstanceOf(Buffer);
    memory.push(await memoryInUse());
  }
  await expect.poll(memoryInUse, patient).toBeLessThan((memory[0] ?? 0) + 2_000_000);
});

test("very many watches ask for the health no oftener than one does, and all hear of a change", async () => {
  const engine = new FakeEngine();
  let asked = 0;
  engine.isHealthy = () => {
    asked += 1;
    return engine.healthy;
  };
  const running = await start({}, engine);
  const streams = Array.from({ length: 3 }, () => session(running)).flatMap((on) =>
    Array.from({ length: 100 }, () => begin(on, "Watch").end(empty)),
  );
  await Promise.all(streams.map((stream) => once(stream, "data")));
  const before = asked;
  const since = performance.now();
  engine.healthy = false;
  await Promise.all(streams.map((stream) => once(stream, "data")));
  expect(asked - before).toBeLessThan(3 + (performance.now() - since) / 500);
});

test("checks that never come to an end make room for whole ones", async () => {
  const running = await start({ watches: 10 });
  const slow = session(running);
  const begun = Array.from({ length: 30 }, () => begin(slow, "Check"));
  const closed = begun.slice(0, 20).map((stream) => new Promise((resolve) => stream.once("close", resolve)));
  for (const stream of begun) stream.write(empty.subarray(1));
  await Promise.all(closed);
  expect((await healthOf(running).check({})).status).toBe(Status.SERVING);
  expect(begun.filter(({ closed }) => !closed).length).toBeGreaterThanOrEqual(9);
});

test("calls of reflection beyond the limit are refused", async () => {
  const running = await start({ watches: 1 });
  const { serverReflectionInfo } = createClient(ServerReflection, createGrpcTransport({ baseUrl: running.url }));
  const over = Promise.withResolvers<void>();
  onTestFinished(() => over.resolve());
  async function* questions() {
    yield { messageRequest: { case: "listServices", value: "" } } as const;
    await over.promise;
  }
  await serverReflectionInfo(questions())[Symbol.asyncIterator]().next();
  const refused = serverReflectionInfo(questions())[Symbol.asyncIterator]().next();
  await expect(refused).rejects.toMatchObject({
    code: Code.ResourceExhausted,
    rawMessage: expect.stringContaining("calls of ServerReflectionInfo are open already"),
  });
});
