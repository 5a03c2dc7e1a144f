import { expect, onTestFinished, test } from "vitest";
import { prepareScript } from "../../../engine/copy/movers/mover-scripts.ts";
import { removeMover, runMover } from "../../../engine/copy/movers/run-mover.ts";
import { Cluster } from "../../../engine/kubernetes/cluster.ts";
import type { ProgramState } from "../../../simulator/programs.ts";
import { startSimulator } from "../../../simulator/simulator.ts";
import { copies, fillNamespace } from "./copying-scene.ts";

const mover = { name: "mover-1", script: prepareScript, args: [] };

/** A cluster in which movers do what `state` says each time that it is looked at. */
async function clusterWith(state: () => ProgramState) {
  const simulator = await startSimulator();
  const cluster = await Cluster.open({ server: simulator.url }, 4);
  onTestFinished(async () => {
    await cluster.close();
    await simulator.close();
  });
  simulator.runPrograms(state);
  const { signal } = new AbortController();
  await cluster.create(
    { apiVersion: "v1", resource: "namespaces" },
    "",
    { apiVersion: "v1", kind: "Namespace", metadata: { name: fillNamespace } },
    signal,
  );
  const place = { copies, namespace: fillNamespace, uuid: "0e5e9b8b-1ed6-4d68-a7ce-0d1a3c8cd7a2", controlPlane: "cdp" };
  return { simulator, request: { cluster, place, times: { lookMs: 10, stallMs: 300 }, signal } };
}

test("a mover without progress is abandoned, and says what its pod waits for", async () => {
  const { request } = await clusterWith(() => ({ log: ['{"message_type":"status","bytes_done":1}'] }));
  const { failure } = await runMover(request, mover);
  expect(failure).toMatch(/^it made no progress for .* minutes: its pod mover-1-\w+ is Running/);
  expect(await removeMover(request, mover.name, 5_000)).toEqual([]);
});

test("a mover that tries in vain to reach its repository is abandoned with its last words", async () => {
  const refused = "Stat(<config/>) returned error, retrying after 1s: The request signature does not match";
  const { request } = await clusterWith(() => ({ log: [refused] }));
  const { failure } = await runMover(request, mover);
  expect(failure).toContain(`is Running (${refused})`);
});

test("a mover that only reads, such as one that verifies, makes progress", async () => {
  let reads = 0;
  const { request, simulator } = await clusterWith(() => ({
    ...(reads > 100 && { exitCode: 0 }),
    log: ['{"message_type":"status","bytes_restored":1}', `{"message_type":"reads","bytes_read":${(reads += 1)}}`],
  }));
  const running = runMover({ ...request, times: { lookMs: 10, stallMs: 200 } }, mover);
  const pods = { apiVersion: "v1", resource: "pods" } as const;
  const labelled = { metadata: { labels: {} as Record<string, string> } };
  for (let look = 0; look < 110; look++)
    for await (const { metadata } of request.cluster.list(pods, fillNamespace, request.signal)) {
      labelled.metadata.labels["look"] = String(look);
      await request.cluster.patch(pods, fillNamespace, metadata.name, labelled, request.signal);
      await simulator.settled();
    }
  expect((await running).failure).toBeUndefined();
});

test("a mover that fails is tried three times, and its last words are told", async () => {
  let runs = 0;
  const { request } = await clusterWith(() => {
    runs += 1;
    return { exitCode: 1, log: ['{"message_type":"exit_error","code":1,"message":"Fatal: no route to host"}'] };
  });
  expect((await runMover(request, mover)).failure).toBe("restic ended with exit code 1 (no route to host)");
  expect(runs).toBe(3);
});

test("a mover whose Job someone deletes is no success", async () => {
  const { request } = await clusterWith(() => ({ log: [] }));
  const running = runMover({ ...request, times: { lookMs: 10, stallMs: 60_000 } }, mover);
  await expect
    .poll(() =>
      request.cluster.get({ apiVersion: "batch/v1", resource: "jobs" }, fillNamespace, mover.name, request.signal),
    )
    .toBeDefined();
  await removeMover(request, mover.name, 5_000);
  expect((await running).failure).toBe("someone deleted its Job");
});
