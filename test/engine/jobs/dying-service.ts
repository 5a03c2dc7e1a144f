/**
 * A service of one job that stands still in SAVING_OBJECTS, or in its clean-up, until somebody kills it: run as a
 * process of its own with the database's path and `phase` or `fail`.
 */
import { CrashPoints } from "../../../engine/crash-points.ts";
import { DrsError } from "../../../engine/errors.ts";
import { silentLogger } from "../../../engine/logger.ts";
import type { JobContext, JobDefinition } from "../../../engine/jobs/phase.ts";
import { defaultRunnerSettings, JobRunner } from "../../../engine/jobs/runner.ts";
import { openStore } from "../../../engine/store/store.ts";

const [file = "", where = "phase"] = process.argv.slice(2);

async function standStill({ notes }: JobContext): Promise<void> {
  notes.set("replicas/api", 3);
  process.stdout.write("standing still\n");
  return new Promise(() => setInterval(() => {}, 1_000));
}

const backup: JobDefinition = {
  phases: [
    { name: "PRE_VALIDATION", run: async ({ notes }) => notes.set("validated", true) },
    {
      name: "SAVING_OBJECTS",
      run: async (context) => {
        if (where === "phase") return standStill(context);
        throw new DrsError("PERMISSION_DENIED", "secrets cannot be listed", { id: "DRS-J008" });
      },
    },
  ],
  finish: () => Promise.resolve(),
  fail: standStill,
};

new JobRunner({
  store: openStore(file),
  definitions: { backup, restore: backup, deletion: backup, copy: backup, upkeep: backup },
  logger: silentLogger,
  clock: () => new Date(),
  crashPoints: new CrashPoints(),
  random: Math.random,
  settings: defaultRunnerSettings,
}).start();
