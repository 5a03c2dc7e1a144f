import type { JsonObject } from "@bufbuild/protobuf";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type ApiClient, ApiError } from "./api-client.ts";

const finished = ["COMPLETED", "PARTIALLY_FAILED", "FAILED"];

/** Times are RFC 3339 in UTC, whatever the protocol. */
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);

function crnOf(type: string): unknown {
  return expect.stringMatching(new RegExp(`^crn:[\\w.-]+:drs:[\\w.-]+:[\\w.-]+:${type}:[0-9a-f-]{36}$`));
}

function stateOf(job: JsonObject): string {
  return (job["backupJobState"] ?? job["restoreJobState"]) as string;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "OK",
    (error: unknown) => {
      if (error instanceof ApiError) return error.code;
      throw error;
    },
  );
}

/**
 * All nine methods, as one client of one protocol uses them: a backup is made, looked at, restored and deleted.
 *
 * Holds against any service that has a control plane of the namespace `entity`, with jobs that end within `jobTimeout`.
 */
export function clientSuite(
  name: string,
  connect: () => ApiClient,
  { entity = "cdp", jobTimeout = 20_000 }: { entity?: string; jobTimeout?: number } = {},
): void {
  const backupName = `client suite ${name} ${Date.now()}`;

  async function poll(until: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + jobTimeout;
    while (!(await until())) {
      if (Date.now() > deadline) throw new Error(`not within ${jobTimeout} ms`);
      await delay(50);
    }
  }

  describe(`client: ${name}`, () => {
    test(
      "backs up, restores and deletes",
      async () => {
        const call = connect();
        expect(await call("listBackupEntities", {})).toEqual({ items: expect.arrayContaining([entity]) });

        const { backupCrn } = (await call("createBackup", { backupName })) as { backupCrn: string };
        expect(backupCrn).toEqual(crnOf("backup"));
        let backup: JsonObject = {};
        await poll(async () => {
          backup = (await call("describeBackup", { backupCrn }))["backup"] as JsonObject;
          return finished.includes(stateOf(backup));
        });
        expect(backup).toEqual({
          backupCrn,
          backupName,
          backupJob: expect.stringMatching(/./),
          backupJobState: expect.stringMatching(/^(COMPLETED|PARTIALLY_FAILED)$/),
          backupPhase: "FINISHED",
          backupCreationTime: time,
          backupUpdatedTime: time,
          includedNamespaces: expect.arrayContaining([entity]),
          warnings: expect.any(Array),
          errors: [],
        });
        const { backupJob: _job, backupUpdatedTime: _time, includedNamespaces: _names, ...rest } = backup;
        const { warnings: _warnings, errors: _errors, ...summary } = rest;
        const jobStates = [stateOf(backup)];
        expect(await call("listBackups", { backupName, jobStates })).toEqual({ backups: [summary] });
        expect(await call("listBackups", { backupName, jobStates: ["TERMINATING"] })).toEqual({ backups: [] });
        expect((await call("getLogs", { crn: backupCrn }))["logs"]).toMatch(/^\d{4}-\d\d-\d\dT.*PRE_VALIDATION/m);

        const { restoreCrn } = (await call("restoreBackup", { backupCrn })) as { restoreCrn: string };
        expect(restoreCrn).toEqual(crnOf("restore"));
        let restore: JsonObject = {};
        await poll(async () => {
          restore = (await call("describeRestore", { restoreCrn }))["restore"] as JsonObject;
          return finished.includes(stateOf(restore));
        });
        expect(restore).toEqual({
          restoreCrn,
          backupCrn,
          restoreJob: expect.stringMatching(/./),
          restoreJobState: expect.stringMatching(/^(COMPLETED|PARTIALLY_FAILED)$/),
          restorePhase: "FINISHED",
          restoreCreationTime: time,
          restoreUpdatedTime: time,
          includedNamespaces: expect.arrayContaining([entity]),
          excludedResources: expect.any(Array),
          successConditions: expect.any(Array),
          warnings: expect.any(Array),
          errors: [],
        });
        const { restores } = (await call("listRestores", { backupCrn, jobStates: [] })) as { restores: JsonObject[] };
        expect(restores).toEqual([
          {
            restoreCrn,
            backupCrn,
            restoreJobState: restore["restoreJobState"],
            restorePhase: "FINISHED",
            restoreCreationTime: restore["restoreCreationTime"],
            includedNamespaces: restore["includedNamespaces"],
          },
        ]);

        expect((await call("deleteBackup", { backupCrn }))["deleteBackupCrn"]).toEqual(crnOf("deleteBackup"));
        await poll(async () => (await codeOf(call("describeBackup", { backupCrn }))) === "NOT_FOUND");
      },
      3 * jobTimeout,
    );

    test("is reported by code and by name what is wrong", async () => {
      const call = connect();
      await expect(call("createBackup", { itemName: "no-such-entity" })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(entity),
      });
      await expect(call("deleteBackup", {})).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("backupCrn"),
      });
      const backupCrn =
        "crn:altus:drs:us-west-1:00000000-0000-0000-0000-000000000000:backup:11111111-1111-4111-8111-111111111111";
      expect(await codeOf(call("restoreBackup", { backupCrn }))).toBe("NOT_FOUND");
    });
  });
}
