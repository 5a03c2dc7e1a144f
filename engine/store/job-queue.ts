import type { JobKind, JobPhase, JobState } from "../model.ts";
import type { Database, Statement } from "./database.ts";
import { jobColumns, jobRecord } from "./job-record.ts";
import type { JobRecord, JobRow, JobStep } from "./job-record.ts";
import { JobConflictError } from "./store-errors.ts";

/** Where a running job stands. */
export interface Position {
  readonly phase: JobPhase;
  readonly step: JobStep;
}

interface Move extends Position {
  readonly seq: number;
  readonly fromPhase: JobPhase;
  readonly fromStep: JobStep;
  readonly now: number;
}

/**
 * Moves jobs from waiting to finished. Every change names the state that it expects, and throws JobConflictError when
 * the job is in another one.
 */
export class JobQueue {
  readonly #next: Statement<{ kinds: string }, JobRow>;
  readonly #start: Statement<{ seq: number; phase: JobPhase; now: number }>;
  readonly #move: Statement<Move>;
  readonly #finish: Statement<{ seq: number; fromStep: JobStep; state: JobState; now: number }>;
  readonly #touch: Statement<{ seq: number; now: number }>;
  readonly #setNamespaces: Statement<{ seq: number; namespaces: string; now: number }>;
  readonly #countRecovery: Statement<object>;
  readonly #running: Statement<object, JobRow>;
  readonly #park: Statement<object>;
  readonly #setParked: Statement<{ seq: number; parked: 0 | 1 }>;
  readonly #cancelWaiting: Statement<{ seq: number; by: string; now: number }>;
  readonly #cancel: Statement<{ seq: number; by: string; now: number }>;
  readonly #cancelledBy: Statement<{ seq: number }, { by: string | null }>;
  readonly #length: Statement<object, { length: number }>;

  constructor(database: Database) {
    this.#next = database.prepare(`
      SELECT ${jobColumns} FROM job
      WHERE state = 'NOT_STARTED' AND kind IN (SELECT value FROM json_each(@kinds))
        AND entity NOT IN (
          SELECT entity FROM job WHERE state = 'IN_PROGRESS' AND kind IN (SELECT value FROM json_each(@kinds)))
      ORDER BY kind NOT IN ('restore', 'deletion') AND origin <> 'caller', seq LIMIT 1`);
    this.#start = database.prepare(`
      UPDATE job SET state = 'IN_PROGRESS', phase = @phase, updated_ms = @now
      WHERE seq = @seq AND state = 'NOT_STARTED'`);
    this.#move = database.prepare(`
      UPDATE job SET phase = @phase, step = @step, recoveries = 0, updated_ms = @now
      WHERE seq = @seq AND state = 'IN_PROGRESS' AND phase = @fromPhase AND step = @fromStep`);
    this.#finish = database.prepare(`
      UPDATE job SET state = @state, phase = 'FINISHED', step = 'PHASE', recoveries = 0, updated_ms = @now
      WHERE seq = @seq AND state = 'IN_PROGRESS' AND step = @fromStep`);
    this.#touch = database.prepare(`UPDATE job SET updated_ms = @now WHERE seq = @seq`);
    this.#setNamespaces = database.prepare(`
      UPDATE job SET included_namespaces = @namespaces, updated_ms = @now WHERE seq = @seq`);
    this.#countRecovery = database.prepare(`
      UPDATE job SET recoveries = recoveries + (1 - parked), parked = 0 WHERE state = 'IN_PROGRESS'`);
    this.#running = database.prepare(`SELECT ${jobColumns} FROM job WHERE state = 'IN_PROGRESS' ORDER BY seq`);
    this.#park = database.prepare(`UPDATE job SET parked = 1 WHERE state = 'IN_PROGRESS'`);
    this.#setParked = database.prepare(`UPDATE job SET parked = @parked WHERE seq = @seq AND state = 'IN_PROGRESS'`);
    this.#cancelWaiting = database.prepare(`
      UPDATE job SET state = 'FAILED', phase = 'FINISHED', cancelled_by = @by, updated_ms = @now
      WHERE seq = @seq AND state = 'NOT_STARTED'`);
    this.#cancel = database.prepare(`
      UPDATE job SET cancelled_by = @by, updated_ms = @now
      WHERE seq = @seq AND state = 'IN_PROGRESS' AND step = 'PHASE' AND cancelled_by IS NULL`);
    this.#cancelledBy = database.prepare(`SELECT cancelled_by AS by FROM job WHERE seq = @seq`);
    this.#length = database.prepare(
      `SELECT count(*) AS length FROM job WHERE state = 'NOT_STARTED' AND origin <> 'service'`,
    );
  }

  /**
   * The next of the jobs of these kinds whose entity none of these kinds is at work on: in order of arrival, but what no caller has
   * asked for gives way to all else. A caller's own backup keeps its turn before a later restore, for which it may have been made.
   */
  next(kinds: readonly JobKind[]): JobRecord | undefined {
    const row = this.#next.get({ kinds: JSON.stringify(kinds) });
    return row && jobRecord(row);
  }

  /** How many jobs that somebody has asked for have not started. */
  get length(): number {
    return this.#length.get({})?.length ?? 0;
  }

  start(job: JobRecord, phase: JobPhase, now: Date): JobRecord {
    const changes = this.#start.run({ seq: job.seq, phase, now: now.getTime() });
    if (changes !== 1) throw new JobConflictError(job.crn, "NOT_STARTED");
    return { ...job, state: "IN_PROGRESS", phase };
  }

  move(job: JobRecord, to: Position, now: Date): JobRecord {
    const { seq, phase: fromPhase, step: fromStep } = job;
    const changes = this.#move.run({ ...to, seq, fromPhase, fromStep, now: now.getTime() });
    if (changes !== 1) throw new JobConflictError(job.crn, `in ${fromPhase}`);
    return { ...job, ...to, recoveries: 0 };
  }

  finish(job: JobRecord, state: JobState, now: Date): void {
    const changes = this.#finish.run({ seq: job.seq, fromStep: job.step, state, now: now.getTime() });
    if (changes !== 1) throw new JobConflictError(job.crn, `in ${job.phase}`);
  }

  /** Ends a job that has not started. */
  cancelWaiting(job: JobRecord, by: string, now: Date): void {
    if (this.#cancelWaiting.run({ seq: job.seq, by, now: now.getTime() }) !== 1)
      throw new JobConflictError(job.crn, "NOT_STARTED");
  }

  /** Notes that somebody cancels a job that runs a phase. False when it does not, or somebody has cancelled it already. */
  cancel(seq: number, by: string, now: Date): boolean {
    return this.#cancel.run({ seq, by, now: now.getTime() }) === 1;
  }

  /** The caller that has cancelled the job; undefined when none has. */
  cancelledBy(seq: number): string | undefined {
    return this.#cancelledBy.get({ seq })?.by ?? undefined;
  }

  /** Says that something happened to the job just now. */
  touch(seq: number, now: Date): void {
    this.#touch.run({ seq, now: now.getTime() });
  }

  setIncludedNamespaces(seq: number, namespaces: readonly string[], now: Date): void {
    this.#setNamespaces.run({ seq, namespaces: JSON.stringify(namespaces), now: now.getTime() });
  }

  /** The jobs that an earlier process left running; each one's recovery is counted, unless it was parked. */
  recover(): JobRecord[] {
    this.#countRecovery.run({});
    return this.unfinished();
  }

  /** The jobs that have started and are not over, in order of arrival. */
  unfinished(): JobRecord[] {
    return this.#running.all({}).map(jobRecord);
  }

  /** Notes that nothing runs a job until `resume`, so that starts meanwhile count no recovery. False when it is over. */
  setAside(seq: number): boolean {
    return this.#setParked.run({ seq, parked: 1 }) === 1;
  }

  resume(seq: number): void {
    this.#setParked.run({ seq, parked: 0 });
  }

  /** Notes that running jobs were left in good order, so that the next start counts no recovery. */
  park(): void {
    this.#park.run({});
  }
}
