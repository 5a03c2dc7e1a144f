import type { MessageCode } from "../message-codes.ts";
import type { JobKind, JobPhase, JobState } from "../model.ts";

/** A job as its phases see it: the request. Its progress is in the store. */
export interface Job {
  readonly crn: string;
  /** The last part of the CRN. Every name a job creates in the cluster is derived from it. */
  readonly uuid: string;
  readonly kind: JobKind;
  /** The job's own name, as `backupJob` and `restoreJob` show it. */
  readonly name: string;
  /** A backup's display name; empty for the other kinds. */
  readonly displayName: string;
  /** The backup that is made (then the job's own CRN), restored or deleted. */
  readonly backupCrn: string;
  /** The control plane's main namespace: jobs of one entity run one after another. */
  readonly entity: string;
  /** The one namespace asked for by `itemName`; empty for the control plane with its vault. */
  readonly itemName: string;
  /** Its parameters, as in its row: see `parametersOf`. */
  readonly parameters: string | null;
  readonly createdAt: Date;
}

/**
 * The memory of a job across the death of its process: values by key, durable when the call returns, read back by a later
 * run of the same phase or another one. They go with the job's row.
 */
export interface JobNotes {
  get<T>(key: string): T | undefined;
  set(key: string, value: unknown): void;
  /** Many at once, in one transaction. */
  setAll(entries: Iterable<readonly [key: string, value: unknown]>): void;
  /** The entries whose key begins with the prefix, in key order. */
  entries<T>(prefix: string): IterableIterator<readonly [key: string, value: T]>;
  /** Removes the entries whose key begins with the prefix. */
  clear(prefix: string): void;
}

/** The context of a phase, besides its collaborators. */
export interface JobContext {
  readonly job: Job;
  /** Which one runs, or was the last before a clean-up. */
  readonly phase: JobPhase;
  /**
   * Aborted when the service shuts down, and the job continues at the next start; when background work must yield to
   * a restore or deletion, and continues after it; and when the job was cancelled while it runs a phase, and its clean-up begins.
   */
  readonly signal: AbortSignal;
  readonly notes: JobNotes;
  /** The notes of the job that created the backup; empty when another service has created it. */
  readonly backupNotes: Pick<JobNotes, "get" | "entries">;
  /** A line of the job's log; with a code where the operations page has a row for it. */
  readonly info: (text: string, code?: MessageCode) => void;
  /** Reports that the step has come further than any earlier run of it: earlier failures do not count any more. */
  readonly progressed: () => void;
  /**
   * Records a warning or error of one object while the rest goes on; also a line of the log. The same text for the same
   * namespace is recorded once, so a phase that runs again doubles nothing. Texts hold no secret. The code is that of the
   * message's row on the operations page; only an error that is passed on may have none.
   */
  readonly warn: (code: MessageCode | undefined, namespace: string, text: string) => void;
  readonly error: (code: MessageCode | undefined, namespace: string, text: string) => void;
  /** The warnings and errors so far, in order. */
  messages(): readonly {
    readonly level: "warning" | "error";
    readonly namespace: string;
    readonly text: string;
    readonly time: Date;
  }[];
  /**
   * Waits until no other service works on the control plane, and keeps others from it until the job ends. True when it has
   * waited, and the cluster may have changed since the last look. PRE_VALIDATION calls it once it has the rights; before every
   * other phase and clean-up it is called already.
   */
  claimControlPlane(): Promise<boolean>;
  /** Sets the value of `includedNamespaces` from now on. */
  setIncludedNamespaces(namespaces: readonly string[]): void;
}

/**
 * One phase of a job.
 *
 * It may run again at any line: it looks before it acts, and notes what it will need before it touches the cluster. It
 * resolves when done. A thrown DrsError fails the job, unless its code is UNAVAILABLE: then the phase runs again after a
 * while, a counted number of times without progress. Once the signal is aborted whatever it throws means only "not finished".
 */
export interface Phase {
  readonly name: JobPhase;
  run(context: JobContext): Promise<void>;
}

/** A kind of job: its phases, between PENDING and FINISHED, in order. */
export interface JobDefinition {
  readonly phases: readonly Phase[];
  /**
   * Runs after the last phase and before the job is FINISHED, to clean up; may run again. Its errors are treated like
   * a phase's.
   */
  finish(context: JobContext): Promise<void>;
  /**
   * Runs once the job has failed (its error is recorded) and before the state says FAILED: puts back or cleans up. May
   * run again after a crash. UNAVAILABLE is tried again as in a phase, and so is PERMISSION_DENIED; what it throws else, or
   * in the end, is recorded as one more error.
   */
  fail(context: JobContext): Promise<void>;
  /** Whether the job needs a rollback by `fail`: then UNAVAILABLE is retried without end, and any other failure many times. */
  needsRollback?(context: JobContext): boolean;
  /**
   * For work that may take hours and delays nothing, as it leaves the control plane unchanged: it runs beside the
   * control plane's jobs, one at a time, and does not keep other services from the control plane. A restore or deletion that it
   * blocks waits until it yields: its signal is aborted as at a shutdown, and it continues when that is over.
   */
  readonly background?: {
    isInTheWayOf(job: Job, other: Job): boolean;
  };
  /** The message when `fail` is abandoned for this reason: the remaining work for a person. Undefined when there is none. */
  abandoned?(context: JobContext, why: string): Abandoned | undefined;
}

/** The last message of a job whose clean-up was abandoned. */
export interface Abandoned {
  readonly id: MessageCode;
  readonly text: string;
}

/** The state a finished job's messages amount to. */
export function finalState(messages: readonly { readonly level: "warning" | "error" }[], failed: boolean): JobState {
  if (failed || messages.some((message) => message.level === "error")) return "FAILED";
  return messages.length > 0 ? "PARTIALLY_FAILED" : "COMPLETED";
}
