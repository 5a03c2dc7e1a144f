import { backupJob } from "./backup/backup-job.ts";
import { deletionJob } from "./deletion/deletion-job.ts";
import { type JobParameters, type ParameterFlags, parametersFrom, parametersOf } from "./jobs/parameters.ts";
import type { JobParts } from "./jobs/parts.ts";
import type { Job, JobContext, JobDefinition } from "./jobs/phase.ts";
import type { JobKind, RestorePlan } from "./model.ts";
import { restoreJob } from "./restore/restore-job.ts";
import { SavedIndex } from "./restore/source/saved-index.ts";
import { scratchRemovalJob } from "./restore/scratch/removal-job.ts";
import { scratchJob } from "./restore/scratch/scratch-job.ts";

/** The jobs this service knows: where the phases of each kind are plugged in. Each job goes by its own parameters. */
export function createJobDefinitions(parts: JobParts & ParameterFlags): Readonly<Record<JobKind, JobDefinition>> {
  const index = new SavedIndex();
  return {
    backup: byParameters(parts, "backup", (parameters) => backupJob({ ...parts, parameters })),
    restore: byParameters(parts, "restore", ({ controlPlane, plan, statusOf, maxRefusedObjects }) =>
      restoreBy(plan)(
        { ...parts, controlPlane, restore: { ...parts.restore, statusOf, maxRefusedObjects } },
        plan,
        index,
      ),
    ),
    deletion: byParameters(parts, "deletion", () => deletionJob(parts)),
  };
}

function restoreBy({ mode }: RestorePlan) {
  if (mode === "scratch") return scratchJob;
  return mode === "remove-scratch" ? scratchRemovalJob : restoreJob;
}

/** A kind of job whose steps are made from the parameters of the job that they run for. */
function byParameters<Kind extends JobKind>(
  flags: ParameterFlags,
  kind: Kind,
  make: (parameters: JobParameters[Kind]) => JobDefinition,
): JobDefinition {
  const of = ({ job }: { readonly job: Job }) => make(parametersOf(kind, job, flags));
  const { phases, background } = make(parametersFrom("", flags)[kind]);
  return {
    ...(background && { background }),
    phases: phases.map(({ name }, index) => ({
      name,
      run: async (context: JobContext) => of(context).phases[index]?.run(context),
    })),
    finish: async (context) => of(context).finish(context),
    fail: async (context) => of(context).fail(context),
    isInBetween: (context) => of(context).isInBetween?.(context) === true,
    givenUp: (context, why) => of(context).givenUp?.(context, why),
  };
}
