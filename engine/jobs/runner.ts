import type { JobKind } from "../model.ts";
import type { JobRecord } from "../store/job-record.ts";
import { asJob, logJob } from "./job-context.ts";
import { runJob } from "./job-run.ts";
import type { JobRunDeps, JobRunSettings } from "./job-run.ts";
import type { JobDefinition } from "./phase.ts";
import { recover, whereOf } from "./recovery.ts";

export interface RunnerSettings extends JobRunSettings {
  /** How many jobs, of different entities, run at once in each lane. */
  readonly maxRunning: number;
}

/** The eight attempts last about ten minutes, an API server's upgrade; the thirty two hours and more. */
export const defaultRunnerSettings: RunnerSettings = {
  maxAttempts: 8,
  maxCleanUps: 30,
  backoff: { firstDelay: 5_000, maxDelay: 300_000 },
  maxRecoveries: 10,
  maxRunning: 4,
};

export interface RunnerDeps extends JobRunDeps {
  readonly definitions: Readonly<Record<JobKind, JobDefinition>>;
  readonly settings: RunnerSettings;
}

/** After a failed look at the queue. */
const retryDelay = 5_000;

/** A job that this process runs. */
interface Run {
  readonly job: JobRecord;
  readonly cancelling: AbortController;
  readonly standingAside: AbortController;
  /** The job that it yields to. */
  other?: JobRecord;
  ended?: Promise<void>;
}

/**
 * Runs recorded jobs in two lanes, that of the control plane's jobs and that of background work: each in the order of
 * `JobQueue.next`, one at a time per entity, each job through its phases, from wherever its row says it is. A restore or deletion waits
 * until background work that blocks it has yielded, which continues when none such runs or is next. Nothing is
 * polled: the recorder of a job calls `wake`.
 */
export class JobRunner {
  readonly #deps: RunnerDeps;
  readonly #closing = new AbortController();
  /** By CRN. */
  readonly #running = new Map<string, Run>();
  readonly #controlPlaneKinds: readonly JobKind[];
  readonly #backgroundKinds: readonly JobKind[];
  #retry: NodeJS.Timeout | undefined;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
    const kinds = Object.keys(deps.definitions) as JobKind[];
    this.#controlPlaneKinds = kinds.filter((kind) => deps.definitions[kind].background === undefined);
    this.#backgroundKinds = kinds.filter((kind) => deps.definitions[kind].background !== undefined);
  }

  /** Continues what an earlier process left unfinished, then takes up waiting jobs. Call it once. */
  start(): void {
    for (const job of recover(this.#deps, ({ kind }) => this.#backgroundKinds.includes(kind))) this.#launch(job);
    this.wake();
  }

  /** Looks for jobs that can start now. Never throws: the job is recorded, and is found again later. */
  wake(): void {
    clearTimeout(this.#retry);
    try {
      this.#fill(this.#controlPlaneKinds, () => this.#claim());
      this.#fill(this.#backgroundKinds, () => this.#claimBackground());
    } catch (error) {
      this.#deps.logger.error({ err: error }, "waiting jobs cannot be started");
      if (!this.#closing.signal.aborted) this.#retry = setTimeout(() => this.wake(), retryDelay).unref();
    }
  }

  /** Makes a running job look whether it was cancelled, wherever its phase is. */
  stopCancelled(crn: string): void {
    this.#running.get(crn)?.cancelling.abort();
  }

  /** Starts no more jobs, signals the running ones to stop, and waits until they have. The next start continues them. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#retry);
    await Promise.all([...this.#running.values()].map(async ({ ended }) => ended));
    try {
      this.#deps.store.queue.park();
    } catch (error) {
      this.#deps.logger.warn({ err: error }, "the next start will count this one as a crash");
    }
  }

  #fill(kinds: readonly JobKind[], claim: () => JobRecord | undefined): void {
    const isFull = () => this.#runs(kinds).length >= this.#deps.settings.maxRunning;
    while (!this.#closing.signal.aborted && !isFull()) {
      const job = this.#deps.store.database.transaction(claim);
      if (job === undefined) return;
      this.#launch(job);
    }
  }

  #runs(kinds: readonly JobKind[]): readonly Run[] {
    return [...this.#running.values()].filter(({ job }) => kinds.includes(job.kind));
  }

  #claim(): JobRecord | undefined {
    const next = this.#deps.store.queue.next(this.#controlPlaneKinds);
    if (next === undefined || this.#clearTheWayOf(next)) return undefined;
    return this.#start(next);
  }

  /** Makes background work that blocks a job yield. True while there is any: `wake` is called when it has ended. */
  #clearTheWayOf(next: JobRecord): boolean {
    const inTheWay = this.#runs(this.#backgroundKinds).filter(({ job }) => this.#isInTheWay(job, next));
    for (const run of inTheWay) {
      if (run.other !== undefined) continue;
      run.other = next;
      logJob(this.#deps, next, "info", `waits until ${run.job.kind} ${run.job.crn} stands aside`);
      run.standingAside.abort();
    }
    return inTheWay.length > 0;
  }

  /** Preempted work continues before another job begins. */
  #claimBackground(): JobRecord | undefined {
    const { queue } = this.#deps.store;
    const next = queue.next(this.#controlPlaneKinds);
    const ahead = [...this.#runs(this.#controlPlaneKinds).map(({ job }) => job), ...(next ? [next] : [])];
    const isFree = (job: JobRecord) => !ahead.some((other) => this.#isInTheWay(job, other));
    const aside = queue
      .unfinished()
      .find((job) => this.#backgroundKinds.includes(job.kind) && !this.#running.has(job.crn) && isFree(job));
    if (aside !== undefined) {
      queue.resume(aside.seq);
      logJob(this.#deps, aside, "info", `goes on in ${whereOf(aside)}`);
      return aside;
    }
    const waiting = queue.next(this.#backgroundKinds);
    return waiting && isFree(waiting) ? this.#start(waiting) : undefined;
  }

  #isInTheWay(job: JobRecord, other: JobRecord): boolean {
    if ((other.kind !== "restore" && other.kind !== "deletion") || other.entity !== job.entity) return false;
    return this.#deps.definitions[job.kind].background?.isInTheWayOf(asJob(job), asJob(other)) === true;
  }

  #start(waiting: JobRecord): JobRecord {
    const { store, clock, definitions } = this.#deps;
    const [first] = definitions[waiting.kind].phases;
    if (first === undefined) throw new Error(`a ${waiting.kind} has no phases`);
    const job = store.queue.start(waiting, first.name, clock());
    logJob(this.#deps, job, "info", "phase started");
    return job;
  }

  #launch(job: JobRecord): void {
    const run: Run = { job, cancelling: new AbortController(), standingAside: new AbortController() };
    this.#running.set(job.crn, run);
    const closing = AbortSignal.any([this.#closing.signal, run.standingAside.signal]);
    run.ended = runJob(this.#deps, this.#deps.definitions[job.kind], job, {
      closing,
      cancelling: run.cancelling.signal,
    })
      .then(() => this.#cameToRest(run))
      .catch((error: unknown) => this.#deps.logger.error({ err: error, crn: job.crn }, "the job was left where it is"))
      .finally(() => {
        this.#running.delete(job.crn);
        this.wake();
      });
  }

  #cameToRest({ job, other }: Run): void {
    const { store } = this.#deps;
    if (other === undefined || this.#closing.signal.aborted || !store.queue.setAside(job.seq)) return;
    const now = store.jobs.get(job.crn) ?? job;
    logJob(this.#deps, now, "info", `stands aside for ${other.kind} ${other.crn}`);
  }
}
