import type { JsonObject } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import type { ApiClient } from "./api-client.ts";

/** Lists in pages, as one client of one protocol asks for them. Holds against a service whose backups take no time. */
export function pagingSuite(name: string, connect: () => ApiClient): void {
  const backupName = `paging suite ${name}`;

  describe(`client: ${name}`, () => {
    test("gets a list page by page, or whole", async () => {
      const call = connect();
      const crns: unknown[] = [];
      for (let made = 0; made < 3; made += 1) crns.unshift((await call("createBackup", { backupName }))["backupCrn"]);
      const whole = await call("listBackups", { backupName });
      expect((whole["backups"] as JsonObject[]).map(({ backupCrn }) => backupCrn)).toEqual(crns);
      expect(whole).not.toHaveProperty("nextToken");

      const first = await call("listBackups", { backupName, pageSize: 2 });
      expect(first["nextToken"]).toEqual(expect.stringMatching(/./));
      const startingToken = first["nextToken"] as string;
      const second = await call("listBackups", { backupName, pageSize: 2, startingToken });
      expect(second).not.toHaveProperty("nextToken");
      expect([...(first["backups"] as JsonObject[]), ...(second["backups"] as JsonObject[])]).toEqual(whole["backups"]);
      expect(await call("listBackups", { backupName, startingToken })).toEqual(second);

      await expect(call("listRestores", { pageSize: 1, startingToken: "nonsense" })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("startingToken"),
      });
    });
  });
}
