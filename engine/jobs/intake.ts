import type { CrnConfig } from "../config.ts";
import { makeCrn, parseCrn } from "../crn.ts";
import type { CrnType } from "../crn.ts";
import { DrsError } from "../errors.ts";
import type { JobKind, RestorePlan } from "../model.ts";
import type { JobRecord, NewJob } from "../store/job-record.ts";
import type { Repeat } from "../store/job-store.ts";
import type { Store } from "../store/store.ts";
import { type ParameterFlags, parametersFrom } from "./parameters.ts";

export interface IntakeDeps {
  readonly store: Store;
  /** Called after a job was recorded. */
  readonly wakeRunner: () => void;
  readonly clock: () => Date;
  readonly crn: CrnConfig;
  /** The task of a recorded job, beyond `Wanted`. */
  readonly flags: ParameterFlags;
  /** How many jobs that callers have asked for may wait: the service's own, as copies, are not counted. */
  readonly queuedJobs: number;
}

/** A request for a job. */
export interface Wanted extends Repeat, Pick<NewJob, "displayName" | "entity" | "includedNamespaces" | "origin"> {
  /** Empty for a backup, which is its own, and for an upkeep, which has none. */
  readonly backupCrn: string;
  /** The plan of a restore; all of it, in place, by default. */
  readonly plan?: RestorePlan;
}

/** Within this time, in milliseconds, a job like one that has not started is a client's retry. */
const retryWindow = 60_000;

/** For so long, in milliseconds, a request's id is remembered: clients retry within minutes, and ids come again some day. */
const requestIdLife = 24 * 3_600_000;

const crnTypeOf: Readonly<Record<JobKind, CrnType>> = {
  backup: "backup",
  restore: "restore",
  deletion: "deleteBackup",
  copy: "copy",
  upkeep: "upkeep",
};
const namePrefixOf: Readonly<Record<JobKind, string>> = {
  backup: "backup",
  restore: "restore",
  deletion: "delete",
  copy: "copy",
  upkeep: "upkeep",
};

/** Records jobs, whatever their origin: the only place where a job begins. */
export class Intake {
  readonly #deps: IntakeDeps;

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
  }

  /** Decides on a job in one transaction, then wakes the runner. Returns the job's CRN. */
  record(decide: () => JobRecord): string {
    const { crn } = this.#deps.store.database.transaction(decide);
    this.#deps.wakeRunner();
    return crn;
  }

  /** The job that this request has recorded before: by its id, or within a minute as one that has not started. */
  findRepeated(repeat: Repeat): JobRecord | undefined {
    return this.findByRequest(repeat) ?? this.#deps.store.jobs.findWaiting(repeat, this.#ago(retryWindow));
  }

  /** The job that a request of this id has recorded before. */
  findByRequest(repeat: Repeat): JobRecord | undefined {
    return this.#deps.store.jobs.findByRequest(repeat, this.#ago(requestIdLife));
  }

  /** Records a job that waits for its turn; part of the transaction that decides on it. RESOURCE_EXHAUSTED when too many wait, but not for the service itself. */
  enqueue(wanted: Wanted): JobRecord {
    const { queuedJobs, store } = this.#deps;
    if (wanted.origin !== "service" && store.queue.length >= queuedJobs) {
      throw new DrsError(
        "RESOURCE_EXHAUSTED",
        `${queuedJobs} jobs wait already: try again when some have finished, or raise --max-queued-jobs`,
      );
    }
    return this.#insert(wanted, { state: "NOT_STARTED", phase: "PENDING" });
  }

  /** Records a job that has nothing to do, and is over at once; the log says why. Part of the transaction that decides on it. */
  recordFinished(wanted: Wanted, why: string): JobRecord {
    const job = this.#insert(wanted, { state: "COMPLETED", phase: "FINISHED" });
    this.#deps.store.logs.add(job.seq, { time: job.createdAt, level: "info", phase: "FINISHED", text: why });
    return job;
  }

  #insert({ plan, ...wanted }: Wanted, beginning: Pick<NewJob, "state" | "phase">): JobRecord {
    const { store, clock, flags } = this.#deps;
    const crn = makeCrn(crnTypeOf[wanted.kind], this.#deps.crn);
    const now = clock();
    const job = store.jobs.insert({
      ...wanted,
      ...beginning,
      crn,
      name: `${namePrefixOf[wanted.kind]}-${parseCrn(crn).uuid}`,
      backupCrn: wanted.kind === "backup" ? crn : wanted.backupCrn,
      parameters: JSON.stringify(parametersFrom(wanted.itemName, flags, plan)[wanted.kind]),
      createdAt: now,
      updatedAt: now,
    });
    store.logs.add(job.seq, { time: now, level: "info", phase: "PENDING", text: `${job.kind} accepted` });
    return job;
  }

  #ago(milliseconds: number): Date {
    return new Date(this.#deps.clock().getTime() - milliseconds);
  }
}
