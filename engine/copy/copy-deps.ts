import { DrsError } from "../errors.ts";
import type { CopyWork, JobDeps, MoverTimes } from "../jobs/deps.ts";
import type { Job } from "../jobs/phase.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { fillNamespaceOf } from "../volumes/fill-namespace.ts";
import type { MoverPlace } from "./movers/mover-job.ts";
import { defaultMoverTimes } from "./movers/run-mover.ts";

/** The collaborators of a copy. */
export interface CopyDeps extends Omit<JobDeps, "controlPlane"> {
  /** Of a copy: one that writes though no job has the control plane, as movers are beside it. */
  readonly cluster: Cluster;
}

export function timesOf({ times = defaultMoverTimes }: CopyWork): MoverTimes {
  return times;
}

/** Where a job's movers run. FAILED_PRECONDITION when they can nowhere. */
export async function moverPlace(
  { cluster, restore }: Pick<JobDeps, "cluster" | "restore">,
  { config }: CopyWork,
  { uuid, entity }: Pick<Job, "uuid" | "entity">,
  signal: AbortSignal,
): Promise<MoverPlace> {
  const namespace = await fillNamespaceOf({ cluster, restore }, signal);
  if (namespace === undefined)
    throw new DrsError(
      "FAILED_PRECONDITION",
      "the service has no namespace in the cluster to run movers in: name one with --fill-namespace",
      { id: "DRS-V004" },
    );
  return { copies: config, namespace, uuid, controlPlane: entity };
}
