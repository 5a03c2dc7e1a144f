import { expect, test } from "vitest";
import { backupJob } from "../../../engine/backup/backup-job.ts";
import type { BackupParts } from "../../../engine/backup/backup-parts.ts";
import type { JobContext } from "../../../engine/jobs/phase.ts";

const parts = {
  cluster: { discover: () => Promise.resolve({ resources: [], unavailable: [] }) },
  archives: { writer: () => ({ writeManifest: () => expect.unreachable() }) },
  parameters: { namespaces: ["cdp"], furtherObjects: [] },
  limits: {},
} as unknown as BackupParts;

/** A job whose earlier phases have run, as its row says, but whose notes are gone. */
const context = {
  job: { uuid: "u", createdAt: new Date() },
  notes: { get: () => undefined, entries: () => [] },
  messages: () => [],
} as unknown as JobContext;

const backup = backupJob(parts);
const [, savingObjects, creatingSnapshots] = backup.phases;

test.each([
  ["namespaces", "SAVING_OBJECTS", () => savingObjects?.run(context)],
  ["claims", "CREATING_SNAPSHOTS", () => creatingSnapshots?.run(context)],
  ["claims", "the end", () => backup.finish(context)],
] as const)("without the note of its %s a backup saves nothing instead of what it knows: %s", async (note, _, run) => {
  await expect(run()).rejects.toMatchObject({
    code: "INTERNAL",
    message: `the job's note ${note} is missing: report it, and start the job anew`,
  });
});
