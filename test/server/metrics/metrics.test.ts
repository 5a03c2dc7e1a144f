import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLogger } from "../../../engine/logger.ts";
import { DrsError } from "../../../engine/errors.ts";
import { Metrics } from "../../../server/metrics/metrics.ts";
import { type MetricsServer, serveMetrics } from "../../../server/metrics/metrics-server.ts";
import { FakeEngine } from "../../support/fake-engine.ts";
import { post } from "../../support/http-json.ts";
import { knownClients } from "../../support/known-clients.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";

let engine: FakeEngine;
let running: TestServer;
let served: MetricsServer;
beforeEach(async () => {
  engine = new FakeEngine();
  const metrics = new Metrics(engine);
  running = await startTestServer(engine, { metrics });
  served = await serveMetrics(metrics, { host: "127.0.0.1", port: 0 }, silentLogger);
});
afterEach(async () => {
  await running.server.close();
  await served.close();
});

async function scrape(path = "/metrics", init?: RequestInit): Promise<Response> {
  return fetch(`http://127.0.0.1:${served.address.port}${path}`, init);
}

/** The lines of a metric, without those of its buckets. */
async function linesOf(name: string): Promise<readonly string[]> {
  const text = await (await scrape()).text();
  return text.split("\n").filter((line) => line.startsWith(`${name}{`) && !line.includes("le="));
}

test("calls are counted by method and result, on every protocol alike", async () => {
  for (const call of knownClients(running.url, {})) {
    await call("createBackup", {});
    await expect(call("createBackup", { itemName: "nothing" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  await post(running.url, "/api/v1/drscp/dropTables");
  await expect
    .poll(() => linesOf("drs_call_duration_seconds_count"))
    .toEqual(
      expect.arrayContaining([
        'drs_call_duration_seconds_count{method="createBackup",code="OK"} 4',
        'drs_call_duration_seconds_count{method="createBackup",code="INVALID_ARGUMENT"} 4',
        'drs_call_duration_seconds_count{method="none",code="NOT_FOUND"} 1',
      ]),
    );
});

test("a call whose client leaves before its answer is counted as canceled", async () => {
  const { promise: answer, resolve } = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  engine.listBackupEntities = async () => {
    asked.resolve();
    await answer;
    return [];
  };
  const socket = connect(Number(new URL(running.url).port), "127.0.0.1");
  socket.write("POST /api/v1/drscp/listBackupEntities HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
  await asked.promise;
  socket.destroy();
  await expect
    .poll(() => linesOf("drs_call_duration_seconds_count"))
    .toEqual(['drs_call_duration_seconds_count{method="listBackupEntities",code="CANCELED"} 1']);
  resolve();
});

test("jobs are reported as they are at the request", async () => {
  expect(await linesOf("drs_jobs")).toEqual([]);
  await engine.createBackup({ backupName: "", itemName: "", caller: { name: "", requestId: "" } });
  const labels = 'kind="backup",state="PARTIALLY_FAILED",item="cdp"';
  expect(await linesOf("drs_jobs")).toEqual([`drs_jobs{${labels}} 1`]);
  const seconds = (engine.backups[0]?.updatedAt.getTime() ?? 0) / 1_000;
  expect(await linesOf("drs_jobs_last_updated_timestamp_seconds")).toEqual([
    `drs_jobs_last_updated_timestamp_seconds{${labels}} ${seconds}`,
  ]);
  engine.backups.pop();
  expect(await linesOf("drs_jobs")).toEqual([]);
});

test("nothing but metrics is served on their port, and a failure is no end of it", async () => {
  expect((await scrape("/")).status).toBe(404);
  expect((await scrape("/api/v1/drscp/listBackups", { method: "POST" })).status).toBe(404);
  expect((await scrape("/metrics", { method: "POST" })).status).toBe(405);
  engine.countJobs = () => {
    throw new DrsError("UNAVAILABLE", "the database is away");
  };
  expect((await scrape()).status).toBe(500);
});
