import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { formatVersion, type Manifest } from "../../engine/archive/format.ts";
import type { EngineConfig } from "../../engine/config.ts";
import { createEngine } from "../../engine/create-engine.ts";
import type { EngineOverrides } from "../../engine/create-engine.ts";
import type { Engine } from "../../engine/engine.ts";
import type { JobState } from "../../engine/model.ts";
import { fastSettings, idle } from "./jobs/small-jobs.ts";

/** The settings of an engine that keeps everything in a folder, and whose cluster does not answer. */
export function engineConfig(folder: string): EngineConfig {
  return {
    databasePath: join(folder, "drs.db"),
    storage: { kind: "folder", path: join(folder, "archives") },
    cluster: { server: "https://127.0.0.1:1" },
    controlPlane: {
      namespace: "cdp",
      vaultNamespace: "vault-system",
      furtherNamespaces: [],
      furtherObjects: [],
      databaseStatefulSet: "cdp-embedded-db",
    },
    crn: { partition: "altus", region: "us-west-1", account: "acme" },
    restore: { rollBack: true, rollBackTimeout: 0, statusOf: [], maxRefusedObjects: 5 },
    limits: {
      hookTimeout: 1_000,
      snapshotTimeout: 1_000,
      podsStopTimeout: 1_000,
      finalizerTimeout: 1_000,
      appsStartTimeout: 1_000,
      clusterConcurrency: 4,
      queuedJobs: 8,
    },
  };
}

/** A started engine whose jobs do nothing, with the two entities, closed with the test. */
export async function smallEngine(folder: string, overrides: EngineOverrides = {}): Promise<Engine> {
  const engine = await createEngine(engineConfig(folder), {
    definitions: { backup: idle, restore: idle, deletion: idle, copy: idle, upkeep: idle },
    listEntities: () => Promise.resolve(["cdp", "vault-system"]),
    runner: fastSettings,
    ...overrides,
  });
  onTestFinished(() => engine.close());
  return engine;
}

export async function backupReaches(engine: Engine, crn: string, state: JobState | "NOT_FOUND"): Promise<void> {
  await vi.waitFor(() => {
    const now = stateOf(() => engine.describeBackup(crn).state);
    if (now !== state) throw new Error(`${crn} is ${now}, not ${state}`);
  }, 20_000);
}

export async function restoreReaches(engine: Engine, crn: string, state: JobState): Promise<void> {
  await vi.waitFor(() => {
    const now = engine.describeRestore(crn).state;
    if (now !== state) throw new Error(`${crn} is ${now}, not ${state}`);
  }, 20_000);
}

function stateOf(describe: () => string): string {
  try {
    return describe();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** The manifest of a backup without content. */
export function manifestOf(backupCrn: string, more: Partial<Manifest> = {}): Manifest {
  return {
    formatVersion,
    backupCrn,
    backupName: "from elsewhere",
    backupJob: `backup-${backupCrn.slice(-36)}`,
    state: "PARTIALLY_FAILED",
    entity: "cdp",
    includedNamespaces: ["cdp", "vault-system"],
    createdTime: "2026-01-02T03:04:05.678Z",
    finishedTime: "2026-01-02T03:05:05.678Z",
    kubernetesVersion: "v1.35.4",
    parts: [],
    volumes: [],
    messages: [
      { level: "warning", namespace: "cdp", text: "claim data has no snapshot", time: "2026-01-02T03:04:30.000Z" },
    ],
    ...more,
  };
}
