import { once } from "node:events";
import { connect } from "node:http2";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FakeEngine } from "../support/fake-engine.ts";
import { post } from "../support/http-json.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

/* What random requests have found: see `test/fuzz`. */

const path = "/drscp.v1.DrscpService/DescribeBackup";
const invalidArgument = "3";
const noProtobuf = Buffer.from([0x07, 0xff]);
const halfACharacter = Buffer.from('{"\\ud800": 1}');

let running: TestServer;
beforeAll(async () => {
  running = await startTestServer(new FakeEngine());
});
afterAll(() => running.server.close());

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The status of a gRPC call, wherever it is sent. */
async function grpcStatus(contentType: string, message: Buffer): Promise<unknown> {
  const session = connect(running.url);
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": contentType, te: "trailers" });
  const status: Record<string, unknown> = {};
  for (const event of ["response", "trailers"])
    stream.on(event, (headers: Record<string, unknown>) => Object.assign(status, headers));
  stream.end(framed(message));
  const body = await buffer(stream);
  session.close();
  await once(session, "close");
  return status["grpc-status"] ?? /grpc-status: (\d+)/.exec(body.toString())?.[1];
}

describe("a request that cannot be read is the client's fault, and not the service's", () => {
  test.each(["application/grpc+proto", "application/grpc-web+proto"])("no protobuf as %s", async (contentType) => {
    expect(await grpcStatus(contentType, noProtobuf)).toBe(invalidArgument);
  });

  test.each(["application/grpc+json", "application/grpc-web+json"])(
    "half a character that the error repeats, as %s",
    async (contentType) => {
      expect(await grpcStatus(contentType, halfACharacter)).toBe(invalidArgument);
    },
  );

  test.each([
    ["no protobuf", "application/proto", undefined],
    ["nothing compressed", "application/json", "gzip"],
  ])("%s on Connect", async (_, contentType, encoding) => {
    const headers = { "Content-Type": contentType, "Content-Encoding": encoding };
    const reply = await post(running.url, path, { body: noProtobuf, headers });
    expect(reply).toMatchObject({ status: 400, body: expect.stringContaining('"invalid_argument"') });
  });

  test("no protobuf when the client's own time is over already", async () => {
    const headers = { "Content-Type": "application/proto", "Connect-Timeout-Ms": "0" };
    const reply = await post(running.url, path, { body: noProtobuf, headers });
    expect(reply).toMatchObject({ status: 504, body: expect.stringContaining('"deadline_exceeded"') });
  });

  test.each([
    ["the body", "[", "]"],
    ["a member", '{"backupCrn":', "}"],
  ])("a value that is nested deep, as %s", async (_, before, after) => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const reply = await post(running.url, "/api/v1/drscp/describeBackup", { body: before + deep + after });
    expect(reply).toMatchObject({ status: 400, body: expect.stringContaining('"INVALID_ARGUMENT"') });
  });
});

test("requests that are refused before they are read whole leave nothing open on a connection that lasts", async () => {
  const other = await startTestServer(new FakeEngine());
  const session = connect(other.url);
  const cutShort = Buffer.concat([Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]), Buffer.alloc(60_000)]);
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  for (let count = 0; count < 50; count++) {
    const stream = session.request(headers);
    stream.end(cutShort);
    await buffer(stream);
  }
  // It waits for what is open.
  const start = performance.now();
  await other.server.close();
  expect(performance.now() - start).toBeLessThan(5_000);
});
