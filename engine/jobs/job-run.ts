import type { CrashPoints } from "../crash-points.ts";
import { DrsError } from "../errors.ts";
import type { JobState } from "../model.ts";
import { conclude } from "../store/conclusion.ts";
import type { JobRecord } from "../store/job-record.ts";
import { StoreError } from "../store/store-errors.ts";
import { delayAfter, pause } from "./backoff.ts";
import type { Backoff } from "./backoff.ts";
import { cancellationOf } from "./cancelling.ts";
import { claimControlPlane, needsControlPlane, TakenOverError } from "./claiming-the-control-plane.ts";
import type { ControlPlaneLease } from "./control-plane-lease.ts";
import { createJobContext, logJob, recordMessage } from "./job-context.ts";
import type { JobContextDeps } from "./job-context.ts";
import { finalState } from "./phase.ts";
import type { JobContext, JobDefinition } from "./phase.ts";
import { maxDamages, mayPass, messageCode, messageText, restartedTooOften } from "./step-failures.ts";

export interface JobRunSettings {
  /** How often in a row a step is tried when it reports what may pass. */
  readonly maxAttempts: number;
  /**
   * How often in a row a clean-up that needs a rollback is tried, whatever it reports but UNAVAILABLE: then it is
   * tried without end.
   */
  readonly maxCleanUps: number;
  /** Between these attempts. */
  readonly backoff: Backoff;
  /** How often in a row a start may find a job in one step before the job is abandoned. */
  readonly maxRecoveries: number;
}

export interface JobRunDeps extends JobContextDeps {
  readonly random: () => number;
  readonly crashPoints: CrashPoints;
  readonly settings: JobRunSettings;
  /** Keeps other services from the control plane while a job works on it. */
  readonly lease?: ControlPlaneLease;
  /** Called in the transaction that ends a job. */
  readonly onEnd?: (job: JobRecord, state: JobState) => void;
}

export interface JobRunSignals {
  /** Aborted when the service shuts down, or the job is preempted. */
  readonly closing: AbortSignal;
  /** Aborted when the job was cancelled, which its row says, too. */
  readonly cancelling: AbortSignal;
}

/** While the bookkeeping itself cannot be written, the job waits for it, however long that takes. */
const storeBackoff: Backoff = { firstDelay: 1_000, maxDelay: 60_000 };

/**
 * Runs a job from the step in its row to FINISHED. Resolves when the job is finished or its row is gone, or
 * has come to rest as the service shuts down or the job is preempted; its row then says where it continues. Never rejects, so that no job says
 * IN_PROGRESS while nobody runs it: a step whose end cannot be recorded is resumed from the row, and fails when
 * that happens too often, which takes a failed restore to its rollback.
 */
export async function runJob(
  { lease, ...deps }: JobRunDeps,
  definition: JobDefinition,
  job: JobRecord,
  signals: JobRunSignals,
): Promise<void> {
  if (lease === undefined || definition.background !== undefined) return runSteps(deps, definition, job, signals);
  lease.enter();
  try {
    await runSteps({ ...deps, lease }, definition, job, signals);
  } finally {
    lease.leave({ goesOn: signals.closing.aborted });
  }
}

async function runSteps(
  deps: JobRunDeps,
  definition: JobDefinition,
  job: JobRecord,
  signals: JobRunSignals,
): Promise<void> {
  const signal = signals.closing;
  const steps = new JobRun(deps, definition, signals);
  let current: JobRecord | undefined = job;
  let failures = 0;
  let surprises = 0;
  let surprise: unknown;
  while (current !== undefined && !signal.aborted) {
    try {
      if (surprise !== undefined) current = asRecorded(deps, current);
      if (current === undefined) return;
      current = surprises < deps.settings.maxAttempts ? await steps.step(current) : steps.abandon(current, surprise);
      failures = 0;
      surprises = 0;
      surprise = undefined;
    } catch (error) {
      failures += 1;
      const isStore = error instanceof StoreError;
      if (!isStore) {
        surprises += 1;
        surprise = error;
      }
      const text = isStore ? "the job waits for the database" : "the job continues after an unexpected error";
      deps.logger.error({ err: error, crn: job.crn }, text);
      await pause(delayAfter(failures, isStore ? storeBackoff : deps.settings.backoff, deps.random), signal);
    }
  }
}

/** The job as its row says; undefined when it is finished or gone, and so nobody's any more. */
function asRecorded({ store }: JobRunDeps, { crn }: JobRecord): JobRecord | undefined {
  const job = store.jobs.get(crn);
  return job?.state === "IN_PROGRESS" ? job : undefined;
}

interface Failure {
  readonly error: unknown;
  /** Whether nothing more is done, not even the clean-up. */
  readonly isFinal?: boolean;
}

class JobRun {
  readonly #deps: JobRunDeps;
  readonly #definition: JobDefinition;
  readonly #signals: JobRunSignals;

  constructor(deps: JobRunDeps, definition: JobDefinition, signals: JobRunSignals) {
    this.#deps = deps;
    this.#definition = definition;
    this.#signals = signals;
  }

  /** Runs the job's next step and records its end. Returns undefined when there is nothing more to do. */
  async step(job: JobRecord): Promise<JobRecord | undefined> {
    const started = performance.now();
    this.#deps.crashPoints.enter(job.kind, job.phase, job.step);
    const outcome = await this.#attempt(job);
    if (outcome === "stopped") return undefined;
    this.#deps.crashPoints.reached("end");
    const seconds = `${((performance.now() - started) / 1_000).toFixed(1)} s`;
    return this.#deps.store.database.transaction(() =>
      outcome === "done" ? this.#succeed(job, seconds) : this.#fail(job, seconds, outcome),
    );
  }

  /** Fails the job's step without running it. Returns what `step` does. */
  abandon(job: JobRecord, error: unknown): JobRecord | undefined {
    const context = this.#context(job, () => {});
    const left = job.step === "FAIL" ? this.#leftBy(context, job, messageText(error, job), error) : undefined;
    const failure = { error: left ?? error };
    return this.#deps.store.database.transaction(() => this.#fail(job, "unexpected errors", failure));
  }

  async #attempt(job: JobRecord): Promise<"done" | "stopped" | Failure> {
    const { settings, random } = this.#deps;
    let failures = 0;
    let refusals = 0;
    let damages = 0;
    const context = this.#context(job, () => {
      failures = 0;
      refusals = 0;
    });
    const leftBy = (why: string, error?: unknown) =>
      job.step === "FAIL" ? this.#leftBy(context, job, why, error) : undefined;
    if (job.recoveries > settings.maxRecoveries) {
      const why = restartedTooOften(job);
      return { error: leftBy(why) ?? new DrsError("INTERNAL", why, { id: "DRS-J002" }) };
    }
    for (;;) {
      if (this.#signals.closing.aborted) return "stopped";
      const cancelled = cancellationOf(this.#deps, job);
      if (cancelled !== undefined) return { error: cancelled };
      try {
        if (needsControlPlane(job, context)) await context.claimControlPlane();
        await this.#run(job, context);
        return "done";
      } catch (error) {
        if (this.#signals.closing.aborted) return "stopped";
        if (error instanceof StoreError) throw error;
        if (error instanceof TakenOverError) return this.#takenOver(job, context, error);
        if (cancellationOf(this.#deps, job) !== undefined) {
          // Requests in progress have time to arrive before the clean-up looks at the cluster.
          await pause(settings.backoff.firstDelay, this.#signals.closing);
          continue;
        }
        const passes = error instanceof DrsError && mayPass(error, job);
        const why = messageText(error, job);
        const needsRollback = job.step === "FAIL" && this.#needsRollback(context, job);
        failures += 1;
        if (!passes) refusals += 1;
        if (error instanceof DrsError && error.code === "DATA_LOSS") damages += 1;
        const isHopeless = refusals >= settings.maxCleanUps || damages >= maxDamages;
        if (needsRollback ? isHopeless : !passes || failures >= settings.maxAttempts)
          return { error: leftBy(why, error) ?? error };
        const { crn, phase, step } = job;
        this.#deps.logger.warn({ err: error, crn, phase, step }, "a step of the job is tried again");
        const delay = delayAfter(failures, settings.backoff, random);
        const attempt = needsRollback ? failures : `${failures} of ${settings.maxAttempts}`;
        const next = `trying again in ${(delay / 1_000).toFixed(1)} s`;
        logJob(this.#deps, job, "warning", `attempt ${attempt}: ${why}; ${next}`, "DRS-J005");
        await pause(delay, context.signal);
      }
    }
  }

  #context(job: JobRecord, progressed: () => void): JobContext {
    const { lease } = this.#deps;
    const { closing, cancelling } = this.#signals;
    const signal = job.step === "PHASE" ? AbortSignal.any([closing, cancelling]) : closing;
    const context: JobContext = createJobContext(this.#deps, job, signal, {
      progressed,
      claimControlPlane: async () => {
        if (lease === undefined) return false;
        const startsOver = job.kind === "deletion" || (job.step === "PHASE" && job.phase === "PRE_VALIDATION");
        const goesOn = startsOver || (job.step !== "PHASE" && !this.#needsRollback(context, job));
        return claimControlPlane(lease, context, { goesOn });
      },
    });
    return context;
  }

  /** A job whose starting point is gone neither continues nor rolls back, and touches nothing: it says where everything is. */
  #takenOver(job: JobRecord, context: JobContext, error: TakenOverError): Failure {
    if (!this.#needsRollback(context, job)) return { error };
    return { error: this.#leftBy(context, job, error.message, error) ?? error, isFinal: true };
  }

  /** The message of an abandoned clean-up, also when its own description fails. */
  #leftBy(context: JobContext, job: JobRecord, why: string, cause?: unknown): DrsError | undefined {
    try {
      const left = this.#definition.abandoned?.(context, why);
      return left && new DrsError("INTERNAL", left.text, { id: left.id, cause });
    } catch (error) {
      if (error instanceof StoreError) throw error;
      this.#deps.logger.error({ err: error, crn: job.crn }, "what a clean-up leaves behind cannot be described");
      return undefined;
    }
  }

  /** In doubt a rollback is needed: then the clean-up is tried for longer. */
  #needsRollback(context: JobContext, job: JobRecord): boolean {
    try {
      return this.#definition.needsRollback?.(context) === true;
    } catch (error) {
      if (error instanceof StoreError) throw error;
      this.#deps.logger.error({ err: error, crn: job.crn }, "whether a rollback is needed cannot be determined");
      return true;
    }
  }

  async #run(job: JobRecord, context: JobContext): Promise<void> {
    if (job.step === "FINISH") return this.#definition.finish(context);
    if (job.step === "FAIL") return this.#definition.fail(context);
    const phase = this.#definition.phases.find(({ name }) => name === job.phase);
    if (phase === undefined) throw new DrsError("INTERNAL", `this version knows no phase ${job.phase}`);
    return phase.run(context);
  }

  #succeed(job: JobRecord, seconds: string): JobRecord | undefined {
    if (job.step !== "PHASE") return this.#end(job);
    const cancelled = cancellationOf(this.#deps, job);
    if (cancelled !== undefined) return this.#fail(job, seconds, { error: cancelled });
    logJob(this.#deps, job, "info", `phase finished after ${seconds}`);
    const { phases } = this.#definition;
    const next = phases[phases.findIndex(({ name }) => name === job.phase) + 1];
    if (next === undefined) {
      logJob(this.#deps, job, "info", "completing the job");
      return this.#move(job, { phase: job.phase, step: "FINISH" });
    }
    const moved = this.#move(job, { phase: next.name, step: "PHASE" });
    logJob(this.#deps, moved, "info", "phase started");
    return moved;
  }

  #fail(job: JobRecord, seconds: string, { error, isFinal = false }: Failure): JobRecord | undefined {
    const { crn, phase, step } = job;
    this.#deps.logger.error({ err: error, crn, phase, step }, "a step of the job failed");
    recordMessage(this.#deps, job, {
      level: "error",
      namespace: "",
      text: messageText(error, job),
      code: messageCode(error),
    });
    if (step === "FAIL" || isFinal) return this.#end(job, true);
    logJob(this.#deps, job, "error", `phase failed after ${seconds}, cleaning up`);
    return this.#move(job, { phase, step: "FAIL" });
  }

  #move(job: JobRecord, to: Pick<JobRecord, "phase" | "step">): JobRecord {
    return this.#deps.store.queue.move(job, to, this.#deps.clock());
  }

  #end(job: JobRecord, hasFailed = job.step === "FAIL"): undefined {
    const { store, clock } = this.#deps;
    const state = finalState(store.messages.list(job.seq), hasFailed);
    store.queue.finish(job, state, clock());
    logJob(this.#deps, { ...job, phase: "FINISHED" }, "info", `job ended ${state}`);
    conclude(store, { ...job, state, updatedAt: clock() }, state);
    this.#deps.onEnd?.(job, state);
  }
}
