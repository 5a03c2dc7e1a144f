import { backupJob } from "./backup/backup-job.ts";
import type { CopyWork } from "./jobs/deps.ts";
import { copyJob } from "./copy/copy-job.ts";
import { upkeepJob } from "./copy/upkeep/upkeep-job.ts";
import { deletionJob } from "./deletion/deletion-job.ts";
import { type JobParameters, type ParameterFlags, parametersFrom, parametersOf } from "./jobs/parameters.ts";
import type { JobDeps } from "./jobs/deps.ts";
import type { Job, JobContext, JobDefinition } from "./jobs/phase.ts";
import type { Cluster } from "./kubernetes/cluster.ts";
import type { JobKind, RestorePlan } from "./model.ts";
import { restoreJob } from "./restore/restore-job.ts";
import { SavedIndex } from "./restore/source/saved-index.ts";
import { scratchRemovalJob } from "./restore/scratch/removal-job.ts";
import { scratchJob } from "./restore/scratch/scratch-job.ts";

export interface DefinitionDeps extends JobDeps, ParameterFlags {
  readonly controlPlane: JobDeps["controlPlane"] & ParameterFlags["controlPlane"];
  readonly restore: JobDeps["restore"] & ParameterFlags["restore"];
  /** The cluster of background work: it writes though no job has the control plane. */
  readonly backgroundCluster: Cluster;
  /** Undefined when copies are off. */
  readonly copies: CopyWork | undefined;
}

/** The jobs this service knows: where the phases of each kind are plugged in. Each job goes by its own parameters. */
export function createJobDefinitions(deps: DefinitionDeps): Readonly<Record<JobKind, JobDefinition>> {
  const index = new SavedIndex();
  return {
    backup: byParameters(deps, "backup", (parameters) => backupJob({ ...deps, parameters })),
    restore: byParameters(deps, "restore", ({ controlPlane, plan, version: _version, ...restore }) =>
      restoreBy(plan)(
        { ...deps, controlPlane, restore: { ...restoreFlags(deps), ...restore } },
        { ...plan, storageClassMap: restore.storageClassMap ?? {} },
        index,
      ),
    ),
    deletion: byParameters(deps, "deletion", () => deletionJob(deps)),
    copy: byParameters(deps, "copy", () => copyJob({ ...deps, cluster: deps.backgroundCluster })),
    upkeep: byParameters(deps, "upkeep", () => upkeepJob({ ...deps, cluster: deps.backgroundCluster })),
  };
}

/** Those of the running process. */
function restoreFlags({ restore: { storageClassMap: _map, prefer: _prefer, ...flags } }: DefinitionDeps) {
  return flags;
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
    needsRollback: (context) => of(context).needsRollback?.(context) === true,
    abandoned: (context, why) => of(context).abandoned?.(context, why),
  };
}
