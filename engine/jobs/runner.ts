import type { JobKind } from "../model.ts";
import type { JobRecord } from "../store/job-record.ts";
import { logJob } from "./job-context.ts";
import { walk } from "./job-walk.ts";
import type { WalkParts, WalkSettings } from "./job-walk.ts";
import type { JobDefinition } from "./phase.ts";
import { recover } from "./recovery.ts";

export interface RunnerSettings extends WalkSettings {
  /** How many jobs, of different entities, run at once. */
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

export interface RunnerParts extends WalkParts {
  readonly definitions: Readonly<Record<JobKind, JobDefinition>>;
  readonly settings: RunnerSettings;
}

/** After a failed look at the queue. */
const retryDelay = 5_000;

/**
 * Runs recorded jobs: in the order of `JobQueue.next`, one at a time per entity, each through its phases, from wherever its row says
 * it is. Nothing is polled: whoever records a job calls `wake`.
 */
export class JobRunner {
  readonly #parts: RunnerParts;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();
  /** Of the running jobs, by CRN. */
  readonly #cancelling = new Map<string, AbortController>();
  #retry: NodeJS.Timeout | undefined;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  /** Continues what an earlier process left unfinished, then takes up waiting jobs. Call it once. */
  start(): void {
    for (const job of recover(this.#parts)) this.#launch(job);
    this.wake();
  }

  /** Looks for jobs that can start now. Never throws: the job is recorded, and is found again later. */
  wake(): void {
    clearTimeout(this.#retry);
    try {
      while (!this.#closing.signal.aborted && this.#running.size < this.#parts.settings.maxRunning) {
        const job = this.#claim();
        if (job === undefined) return;
        this.#launch(job);
      }
    } catch (error) {
      this.#parts.logger.error({ err: error }, "waiting jobs cannot be started");
      if (!this.#closing.signal.aborted) this.#retry = setTimeout(() => this.wake(), retryDelay).unref();
    }
  }

  /** Makes a running job look whether it was cancelled, wherever its phase is. */
  stopCancelled(crn: string): void {
    this.#cancelling.get(crn)?.abort();
  }

  /** Takes up no more jobs, tells the running ones to stop, and waits until they have. The next start continues them. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#retry);
    await Promise.all(this.#running);
    try {
      this.#parts.store.queue.park();
    } catch (error) {
      this.#parts.logger.warn({ err: error }, "the next start will count this one as a crash");
    }
  }

  #claim(): JobRecord | undefined {
    const { store, clock, definitions } = this.#parts;
    return store.database.transaction(() => {
      const waiting = store.queue.next();
      if (waiting === undefined) return undefined;
      const [first] = definitions[waiting.kind].phases;
      if (first === undefined) throw new Error(`a ${waiting.kind} has no phases`);
      const job = store.queue.start(waiting, first.name, clock());
      logJob(this.#parts, job, "info", "phase started");
      return job;
    });
  }

  #launch(job: JobRecord): void {
    const cancelling = new AbortController();
    this.#cancelling.set(job.crn, cancelling);
    const signals = { closing: this.#closing.signal, cancelling: cancelling.signal };
    const run = walk(this.#parts, this.#parts.definitions[job.kind], job, signals)
      .catch((error: unknown) => this.#parts.logger.error({ err: error, crn: job.crn }, "the job was left where it is"))
      .finally(() => {
        this.#running.delete(run);
        this.#cancelling.delete(job.crn);
        this.wake();
      });
    this.#running.add(run);
  }
}
