import { afterAll, beforeAll, expect, test } from "vitest";
import * as fc from "fast-check";
import { batch, runCampaign, seed } from "./campaign.ts";
import { fuzzBytes, fuzzRequest } from "./requests.ts";
import { FuzzedService } from "./service.ts";

const count = Number(process.env["FUZZ_REQUESTS"] ?? 24_000);

let service: FuzzedService;
let crns: readonly string[];

beforeAll(async () => {
  process.stdout.write(`fuzzing ${count} requests: FUZZ_SEED=${seed}\n`);
  service = await FuzzedService.start(["--log-level=info"]);
  crns = [await service.makeBackup()];
});
afterAll(() => service?.stop());

test("whatever a client sends, it gets a well-formed answer that is no fault of the service, in memory that does not grow", async () => {
  const sent = await runCampaign({
    service,
    count,
    attempts: fuzzRequest(crns),
    send: async (request) => ({ request, answer: await service.cleartext.send(request) }),
  });
  expect(sent).toBeGreaterThanOrEqual(count);
});

test("whatever bytes a client sends, the service answers as HTTP does or hangs up, and goes on serving", async () => {
  const property = fc.asyncProperty(
    fc.array(fuzzBytes(crns), { minLength: batch, maxLength: batch }),
    async (messages) => {
      const answers = await Promise.all(messages.map((bytes) => service.cleartext.sendRaw(bytes)));
      for (const answer of answers) expect(answer.toString("latin1")).not.toMatch(/^HTTP\/1\.[01] 5(?!0[145])/);
    },
  );
  await fc.assert(property, { seed, numRuns: 50, endOnFailure: true });
  expect(service.faults).toEqual([]);
  expect(await service.api("listBackups", { backupName: "fuzzed" })).toMatchObject({ backups: [{}] });
});
