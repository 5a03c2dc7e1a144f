import type { JsonObject } from "@bufbuild/protobuf";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, onTestFinished, test } from "vitest";
import { backupReaches, smallEngine } from "../../engine/small-engine.ts";
import { gate, idle, job } from "../../engine/jobs/small-jobs.ts";
import { temporaryFolder } from "../../engine/store/temporary-store.ts";
import { type ApiClient, connectClient, jsonClient } from "../../support/api-client.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";

const clients: [string, (running: TestServer) => ApiClient][] = [
  ["gRPC", ({ url }) => connectClient(createGrpcTransport({ baseUrl: url }))],
  ["JSON", ({ url }) => jsonClient(url)],
];

/** The real engine behind the real server; its backups run until the test ends them. */
async function start() {
  const backups = gate();
  const definitions = {
    backup: job({ PRE_VALIDATION: () => backups.opened }),
    restore: idle,
    deletion: idle,
    copy: idle,
    upkeep: idle,
  };
  const engine = await smallEngine(temporaryFolder(), { definitions });
  const running = await startTestServer(engine);
  onTestFinished(() => {
    backups.open();
    return running.server.close();
  });
  return { engine, running };
}

test.each(clients)("a job beyond those that may wait is refused and leaves nothing: %s", async (_name, connect) => {
  const { engine, running } = await start();
  const call = connect(running);
  const { backupCrn } = (await call("createBackup", {})) as { backupCrn: string };
  await backupReaches(engine, backupCrn, "IN_PROGRESS");
  for (const backupName of "abcdefgh") await call("createBackup", { backupName });
  await expect(call("createBackup", { backupName: "i" })).rejects.toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    message: expect.stringContaining("--max-queued-jobs"),
  });
  expect(await call("listBackups", { backupName: "i" })).toEqual({ backups: [] });
});

test.each(clients)("names that are too long are refused and named: %s", async (_name, connect) => {
  const { running } = await start();
  const call = connect(running);
  const long = "x".repeat(256);
  const refused = (method: Parameters<ApiClient>[0], request: JsonObject, text: string) =>
    expect(call(method, request)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(text),
    });
  await refused("createBackup", { backupName: long }, "the backup's name is longer than 255 characters");
  await refused("createBackup", { itemName: long }, "the item's name is longer than 255 characters");
  await refused("listBackups", { backupName: long }, "the backup's name is longer than 255 characters");
  await refused("listBackups", { startingToken: "x".repeat(100_000) }, "startingToken is not a token");
  for (const method of ["restoreBackup", "deleteBackup", "describeBackup"] as const)
    await refused(method, { backupCrn: "x".repeat(100_000) }, "expected a CRN");
  await refused("describeRestore", { restoreCrn: "x".repeat(100_000) }, "expected a CRN");
  await refused("getLogs", { crn: "x".repeat(100_000) }, "expected a CRN");
  expect(await call("listBackups", {})).toEqual({ backups: [] });
});

test("a body that is too long is refused: gRPC", async () => {
  const { running } = await start();
  const call = connectClient(createGrpcTransport({ baseUrl: running.url }));
  await expect(call("createBackup", { backupName: "x".repeat(1_100_000) })).rejects.toMatchObject({
    code: "RESOURCE_EXHAUSTED",
  });
  expect(await call("listBackups", {})).toEqual({ backups: [] });
});
