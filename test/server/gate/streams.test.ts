import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { DrsError } from "../../../engine/errors.ts";
import {
  Access_Audit as Audit,
  Access_Callers as Callers,
  Access_Effect as Effect,
} from "../../../gen/drs/v1/options_pb.ts";
import { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../../gen/health/v1/health_pb.ts";
import { AuditLog } from "../../../server/audit/audit-log.ts";
import { servicesOf } from "../../../server/services/services.ts";
import { crn, FakeEngine } from "../../support/fake-engine.ts";
import { type Odd, type OddHandler, oddServed, oddService, oddStreams } from "../../support/odd-service.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";

const known = { callers: { case: "openTo", value: Callers.KNOWN }, audit: Audit.EACH_CALL } as const;
const service = oddService([
  { name: "Follow", streams: true, declares: { ...known, effect: Effect.READS } },
  {
    name: "Change",
    streams: true,
    declares: { ...known, callers: { case: "right", value: "odd/change" }, effect: Effect.CHANGES },
  },
]);
const transports = [
  ["gRPC", createGrpcTransport, "2"],
  ["gRPC-Web", createGrpcWebTransport, "1.1"],
  ["Connect", createConnectTransport, "2"],
  ["Connect over HTTP/1.1", createConnectTransport, "1.1"],
] as const;

/** What a client asks for. */
let handler: OddHandler;
const asWanted: OddHandler = (request, context) => handler(request, context);
let running: TestServer;
let auditFile: string;
let counted: string[];
let logged: { fields: object; text: string }[];
beforeEach(async () => {
  const folder = mkdtempSync(join(tmpdir(), "drs-streams-"));
  auditFile = join(folder, "audit.log");
  counted = [];
  logged = [];
  const record = (fields: object, text: string) => void logged.push({ fields, text });
  running = await startTestServer(new FakeEngine(), {
    services: (context) => [...servicesOf(context), oddServed(service, { follow: asWanted, change: asWanted })],
    audit: new AuditLog(auditFile),
    metrics: { observeCall: (method, code) => void counted.push(`${method} ${code}`) },
    limits: { watches: 2 },
    log: { info() {}, warn: record, error: record },
  });
  onTestFinished(async () => {
    await running.server.close();
    rmSync(folder, { recursive: true });
  });
});

function lines(): readonly Readonly<Record<string, unknown>>[] {
  const text = readFileSync(auditFile, "utf8").trim();
  return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function ended(result: string): Promise<void> {
  await expect.poll(() => counted).toEqual([`odd.v1.OddService/Follow ${result}`]);
  await expect.poll(lines).toMatchObject([{ event: "ended", method: "odd.v1.OddService/Follow", result }]);
}

/** The texts until the stream's end, and its error. */
async function all(stream: AsyncIterable<Odd>): Promise<readonly unknown[]> {
  const heard: unknown[] = [];
  try {
    for await (const { text } of stream) heard.push(text);
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    heard.push([Code[code], rawMessage]);
  }
  return heard;
}

describe.each(transports)("by %s", (_name, create, httpVersion) => {
  type Call = (request: Partial<Odd>, options?: { signal: AbortSignal }) => AsyncIterable<Odd>;
  const transport = () => create({ baseUrl: running.url, httpVersion });
  const calls = () => oddStreams(service, transport()) as Readonly<Record<"follow" | "change", Call>>;

  test("a stream that ends is one line, with what it was asked for, and counted once", async () => {
    handler = async function* () {
      yield { text: "one" };
      yield { text: "two" };
    };
    expect(await all(calls().follow({ crn: crn("backup", 1) }))).toEqual(["one", "two"]);
    await ended("OK");
    expect(lines()[0]).toMatchObject({ crn: crn("backup", 1) });
  });

  test("an error of the engine in the middle of a stream keeps its code, is audited and counted", async () => {
    handler = async function* () {
      yield { text: "one" };
      throw new DrsError("NOT_FOUND", "the job is gone");
    };
    expect(await all(calls().follow({}))).toEqual(["one", ["NotFound", "the job is gone"]]);
    await ended("NOT_FOUND");
  });

  test("a fault of the service's own in the middle of a stream is logged whole, and told by its request id", async () => {
    const failure = new Error("password=hunter2 leaked into an error");
    handler = async function* () {
      yield { text: "one" };
      throw failure;
    };
    expect(await all(calls().follow({}))).toEqual([
      "one",
      ["Internal", expect.stringMatching(/^internal error, request id [0-9a-f-]{36}$/)],
    ]);
    await ended("INTERNAL");
    expect(logged).toMatchObject([{ fields: { err: failure }, text: "call failed" }]);
  });

  test("a stream whose client leaves is over, though its handler waits for something else, and is no failure", async () => {
    handler = async function* () {
      yield { text: "one" };
      await new Promise(() => {});
    };
    const leaving = new AbortController();
    const stream = calls().follow({}, { signal: leaving.signal })[Symbol.asyncIterator]();
    expect(await stream.next()).toMatchObject({ value: { text: "one" } });
    expect(lines()).toEqual([]);
    leaving.abort();
    await expect(stream.next()).rejects.toMatchObject({ code: Code.Canceled });
    await ended("CANCELED");
    expect(logged).toEqual([]);
  });

  test("what a stream changes is audited before it is done", async () => {
    let before: ReturnType<typeof lines> = [];
    handler = async function* () {
      before = lines();
      yield { text: "done" };
    };
    expect(await all(calls().change({ crn: crn("backup", 1) }))).toEqual(["done"]);
    expect(before).toMatchObject([{ event: "accepted", method: "odd.v1.OddService/Change", crn: crn("backup", 1) }]);
    await expect.poll(() => lines().map(({ event }) => event)).toEqual(["accepted", "ended"]);
  });

  test("so many streams are open at once, and one that is over makes room", async () => {
    handler = async function* () {
      yield { text: "one" };
      await new Promise(() => {});
    };
    const leaving = new AbortController();
    for (let open = 0; open < 2; open += 1)
      await calls().follow({}, { signal: leaving.signal })[Symbol.asyncIterator]().next();
    expect(await all(calls().follow({}))).toEqual([
      ["ResourceExhausted", "2 calls of Follow are open already: try again later"],
    ]);
    leaving.abort();
    handler = async function* () {
      yield { text: "again" };
    };
    await expect.poll(() => all(calls().follow({}))).toEqual(["again"]);
  });

  test("a stream hears of the shutdown and ends by itself, and one that does not is ended", async () => {
    const forever = Promise.withResolvers<void>();
    onTestFinished(() => forever.resolve());
    handler = async function* () {
      yield { text: "one" };
      await forever.promise;
    };
    const health: Status[] = [];
    const begun = Promise.withResolvers<void>();
    const watch = (async () => {
      for await (const { status } of createClient(Health, transport()).watch({})) {
        health.push(status);
        begun.resolve();
      }
    })();
    const stream = calls().follow({})[Symbol.asyncIterator]();
    await Promise.all([begun.promise, stream.next()]);

    const since = performance.now();
    const closed = running.server.close();
    await watch;
    expect(health).toEqual([Status.SERVING, Status.NOT_SERVING]);
    await expect(stream.next()).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: "the service is stopping: call again later",
    });
    await closed;
    expect(performance.now() - since).toBeLessThan(5_000);
    expect(lines()).toMatchObject([{ event: "ended", method: "odd.v1.OddService/Follow", result: "UNAVAILABLE" }]);
    expect(counted.toSorted()).toEqual(["grpc.health.v1.Health/Watch OK", "odd.v1.OddService/Follow UNAVAILABLE"]);
  });
});

test("a client of reflection that has not said its last word does not hold up the shutdown", async () => {
  const over = Promise.withResolvers<void>();
  onTestFinished(() => over.resolve());
  async function* questions() {
    yield { messageRequest: { case: "listServices", value: "" } } as const;
    await over.promise;
  }
  const { serverReflectionInfo } = createClient(ServerReflection, createGrpcTransport({ baseUrl: running.url }));
  const answers = serverReflectionInfo(questions())[Symbol.asyncIterator]();
  await answers.next();
  const since = performance.now();
  const closed = running.server.close();
  await expect(answers.next()).rejects.toMatchObject({ code: Code.Unavailable });
  await closed;
  expect(performance.now() - since).toBeLessThan(5_000);
});
