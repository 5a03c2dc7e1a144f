import { connect as connectHttp2 } from "node:http2";
import { createConnection } from "node:net";
import { text } from "node:stream/consumers";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Engine } from "../../../engine/engine.ts";
import { openStore } from "../../../engine/store/store.ts";
import { DrscpService } from "../../../gen/drscp/v1/drscp_pb.ts";
import { smallEngine } from "../../engine/small-engine.ts";
import { crnOf, newBackup, temporaryFolder } from "../../engine/store/temporary-store.ts";
import { post } from "../../support/http-json.ts";
import { startTestServer } from "../../support/test-server.ts";

/** More than two of the pages that the engine gives at once. */
const count = 2_500;
const newestFirst = Array.from({ length: count }, (_, index) => crnOf("backup", count - index));

/** The server in front of a real engine that has many backups. */
async function startServer() {
  const folder = temporaryFolder();
  const store = openStore(join(folder, "drs.db"));
  store.database.transaction(() => {
    for (let number = 1; number <= count; number += 1)
      store.jobs.insert(newBackup(number, { state: "COMPLETED", phase: "FINISHED" }));
  });
  store.database.close();
  const engine = await smallEngine(folder);
  const running = await startTestServer(engine);
  onTestFinished(() => running.server.close());
  const list = (body: object = {}) => post(running.url, "/api/v1/drscp/listBackups", { body: JSON.stringify(body) });
  return { ...running, engine, list };
}

function crnsOf(backups: readonly { readonly backupCrn: string }[]): readonly string[] {
  return backups.map(({ backupCrn }) => backupCrn);
}

/** Lets `work` happen right after the engine has given its first page. */
function afterFirstPage(engine: Engine, work: () => void): void {
  const listBackups = engine.listBackups.bind(engine);
  vi.spyOn(engine, "listBackups").mockImplementation((request) => {
    if (request.startingToken !== "") work();
    return listBackups(request);
  });
}

test("a list without a page size is whole in every protocol, and says nothing of pages", async () => {
  const { url, list } = await startServer();
  const json = JSON.parse((await list()).body) as { backups: { backupCrn: string }[] };
  expect(Object.keys(json)).toEqual(["backups"]);
  expect(crnsOf(json.backups)).toEqual(newestFirst);
  expect(json.backups[0]).toEqual({
    backupCrn: newestFirst[0],
    backupName: `Backup ${count}`,
    backupJobState: "COMPLETED",
    backupPhase: "FINISHED",
    backupCreationTime: newBackup(count).createdAt.toISOString().replace(".000", ""),
  });
  const session = connectHttp2(url);
  const stream = session.request({ ":method": "POST", ":path": "/api/v1/drscp/listBackups" });
  expect(JSON.parse(await text(stream.end()))).toEqual(json);
  session.close();
  for (const transport of [
    createGrpcTransport({ baseUrl: url }),
    createConnectTransport({ baseUrl: url, httpVersion: "1.1" }),
  ]) {
    const reply = await createClient(DrscpService, transport).listBackups({});
    expect(crnsOf(reply.backups)).toEqual(newestFirst);
    expect(reply.nextToken).toBeUndefined();
  }
});

test("a reply of one page has its length, as it always had", async () => {
  const { list } = await startServer();
  const { headers, body } = await list({ backupName: "Backup 7" });
  expect(headers["content-length"]).toBe(String(body.length));
});

test("a page size above the limit counts as the limit, and a list goes on from a token to its end", async () => {
  const { list } = await startServer();
  const page = JSON.parse((await list({ pageSize: 2_000 })).body) as {
    backups: { backupCrn: string }[];
    nextToken: string;
  };
  expect(crnsOf(page.backups)).toEqual(newestFirst.slice(0, 1_000));
  const rest = JSON.parse((await list({ startingToken: page.nextToken })).body) as typeof page;
  expect(crnsOf(rest.backups)).toEqual(newestFirst.slice(1_000));
  expect(rest).not.toHaveProperty("nextToken");
});

test.each([
  [{ pageSize: -1 }, "pageSize must not be negative, as -1 is"],
  [{ pageSize: 1.5 }, 'member "pageSize" must be a whole number, not 1.5'],
  [{ startingToken: "nonsense" }, "startingToken is not a token of this service: send the nextToken of a page"],
])("%j is refused", async (request, message) => {
  const { list } = await startServer();
  const { status, body } = await list(request);
  expect(status).toBe(400);
  expect(JSON.parse(body)).toEqual({ code: "INVALID_ARGUMENT", message });
});

test("a list that loses the rest of its backups while it is sent is still JSON", async () => {
  const { engine, list } = await startServer();
  const listBackups = engine.listBackups.bind(engine);
  vi.spyOn(engine, "listBackups").mockImplementation((request) =>
    request.startingToken === "" ? listBackups(request) : { items: [] },
  );
  const { backups } = JSON.parse((await list()).body) as { backups: { backupCrn: string }[] };
  expect(crnsOf(backups)).toEqual(newestFirst.slice(0, 1_000));
});

test("a list that fails in the middle is no whole reply to anybody", async () => {
  const { engine, url, list } = await startServer();
  afterFirstPage(engine, () => {
    throw new Error("the disk is gone");
  });
  await expect(list()).rejects.toThrow(/aborted|socket hang up|ECONNRESET/);
  const session = connectHttp2(url);
  const stream = session.request({ ":method": "POST", ":path": "/api/v1/drscp/listBackups" });
  await expect(text(stream.end())).rejects.toThrow(/NGHTTP2_INTERNAL_ERROR/);
  session.close();
  const grpc = createClient(DrscpService, createGrpcTransport({ baseUrl: url }));
  await expect(grpc.listBackups({})).rejects.toThrow(/internal error, request id/);
});

test("a list is not read ahead of a client that does not take it, and other calls are answered meanwhile", async () => {
  const { engine, url, list } = await startServer();
  const { items } = engine.listBackups({ backupName: "", jobStates: [], pageSize: 0, startingToken: "" });
  const endless = vi.spyOn(engine, "listBackups").mockReturnValue({ items, nextToken: "more" });
  const socket = createConnection(Number(new URL(url).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.pause();
  socket.write("POST /api/v1/drscp/listBackups HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
  await vi.waitFor(() => expect(endless.mock.calls.length).toBeGreaterThan(2));
  for (let call = 0; call < 100; call += 1) expect((await list({ pageSize: 1 })).status).toBe(200);
  const pagesRead = endless.mock.calls.filter(([{ pageSize }]) => pageSize === 0).length;
  // What the buffers of both ends hold, at a quarter of a megabyte each.
  expect(pagesRead).toBeLessThan(80);
});
