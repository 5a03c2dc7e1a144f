import { expect, onTestFinished, test } from "vitest";
import { JobState_Value } from "../../../gen/drscp/v1/job_pb.ts";
import { smallEngine } from "../../engine/small-engine.ts";
import { temporaryFolder } from "../../engine/store/temporary-store.ts";
import { post, type PostOptions } from "../../support/http-json.ts";
import { memoryInUse } from "../../support/memory-in-use.ts";
import { startTestServer } from "../../support/test-server.ts";

const name = (number: number) => `n${number}`;

/** Field 2, packed: a million times one state, a byte each. */
const states = Buffer.concat([
  Buffer.from([0x12, 0xc0, 0x84, 0x3d]),
  Buffer.alloc(1_000_000, JobState_Value.COMPLETED),
]);

function binary(number: number): PostOptions {
  const displayName = Buffer.from(name(number));
  const body = Buffer.concat([Buffer.from([0x0a, displayName.length]), displayName, states]);
  return { body, headers: { "Content-Type": "application/proto" } };
}

function json(number: number): PostOptions {
  const jobStates = Array.from({ length: 80_000 }, () => "COMPLETED");
  return { body: JSON.stringify({ backupName: name(number), jobStates }) };
}

test.each([
  ["Connect", "/drscp.v1.DrscpService/ListBackups", binary],
  ["JSON", "/api/v1/drscp/listBackups", json],
])("filters that say the same state very often leave nothing behind: %s", async (_name, path, request) => {
  const running = await startTestServer(await smallEngine(temporaryFolder()));
  onTestFinished(() => running.server.close());
  const ask = async (number: number) => expect((await post(running.url, path, request(number))).status).toBe(200);
  await ask(0);
  const before = await memoryInUse();
  for (let number = 1; number <= 10; number += 1) await ask(number);
  expect(await memoryInUse()).toBeLessThan(before + 2_000_000);
});
