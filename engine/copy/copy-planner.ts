import type { SavedVolume } from "../archive/format.ts";
import type { Intake } from "../jobs/intake.ts";
import { logJob } from "../jobs/job-context.ts";
import type { JobContextDeps } from "../jobs/job-context.ts";
import type { JobState } from "../model.ts";
import { earlierMessagesNote, foundNote, uncopiedNote } from "../store/copy-store.ts";
import type { JobRecord } from "../store/job-record.ts";
import { leftoverNotes } from "./leftovers.ts";

/** After so long, in milliseconds, what could not be copied is tried again. */
const retryAfterMs = 3_600_000;
/** Between looks at what there is to try again. */
const lookMs = 60_000;

/** Records copies: of each backup when it is made, and again of those that have not copied all. */
export class CopyPlanner {
  readonly #deps: JobContextDeps;
  readonly #intake: Intake;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: JobContextDeps, intake: Intake) {
    this.#deps = deps;
    this.#intake = intake;
  }

  /** Looks for what there is to try again, now and once a minute. */
  start(): void {
    this.recordDue();
    this.#timer = setInterval(() => this.recordDue(), lookMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** To be called in the transaction that ends a job, whatever its kind: a backup that is made gets its copy. */
  afterEnd(job: JobRecord, state: JobState): void {
    if (job.kind !== "backup" || (state !== "COMPLETED" && state !== "PARTIALLY_FAILED")) return;
    this.#recordFirst(job);
  }

  /** To be called in the transaction that records a backup found in storage: of its copies only the archive knows, and the copy by that. */
  afterFound(job: JobRecord, volumes: readonly SavedVolume[]): void {
    if (job.state === "FAILED" || volumes.length === 0) return;
    const copy = this.#recordFirst(job);
    this.#deps.store.notes.setAll(copy.seq, [[foundNote, true]]);
  }

  #recordFirst(backup: JobRecord): JobRecord {
    const copy = this.#record(backup);
    logJob(this.#deps, backup, "info", `its volumes' data is copied to the repository by ${copy.crn}`);
    return copy;
  }

  /** Records again the copies that are to be retried. */
  recordDue(): void {
    const { store, clock, logger } = this.#deps;
    try {
      for (const job of store.copies.due(new Date(clock().getTime() - retryAfterMs))) {
        if (this.#hasNothingLeft(job)) continue;
        this.#intake.record(() => {
          const kept = [...this.#kept(job)];
          store.copies.removeFinished(job.backupCrn);
          const again = this.#record(job);
          store.notes.setAll(again.seq, kept);
          return again;
        });
      }
    } catch (error) {
      logger.warn({ err: error }, "copies cannot be tried again yet");
    }
  }

  /** Whether another try could change nothing: it has copied all that can be, and removed all that it made. */
  #hasNothingLeft({ seq }: JobRecord): boolean {
    const { notes } = this.#deps.store;
    const isLeft = leftoverNotes.some((prefix) => notes.entries<unknown>(seq, prefix).some(() => true));
    return notes.get<number>(seq, uncopiedNote) === 0 && !isLeft;
  }

  /** What a copy leaves to the one after it: what it has not copied and what it says of that, which hold until then, and what it has not removed. */
  *#kept({ seq }: JobRecord): Generator<readonly [key: string, value: unknown]> {
    const { notes, messages } = this.#deps.store;
    for (const key of [uncopiedNote, foundNote]) {
      const value = notes.get<unknown>(seq, key);
      if (value !== undefined) yield [key, value];
    }
    yield [earlierMessagesNote, messages.list(seq)];
    for (const prefix of leftoverNotes) yield* notes.entries<unknown>(seq, prefix);
  }

  #record({ backupCrn, entity, itemName, displayName, includedNamespaces }: JobRecord): JobRecord {
    return this.#intake.enqueue({
      kind: "copy",
      origin: "service",
      requestedName: "",
      caller: { name: "", requestId: "" },
      backupCrn,
      entity,
      itemName,
      displayName,
      includedNamespaces,
    });
  }
}
