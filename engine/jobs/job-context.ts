import { uuidOf } from "../crn.ts";
import type { Logger } from "../logger.ts";
import type { MessageCode } from "../message-codes.ts";
import type { JobRecord } from "../store/job-record.ts";
import type { LogLevel } from "../store/log-store.ts";
import type { Store } from "../store/store.ts";
import type { Job, JobContext } from "./phase.ts";

/** Longer texts are cut: one message must not fill an answer or a log. */
const maxTextLength = 8_192;

/** Rows count from 1. */
const noJob = 0;

export interface JobContextDeps {
  readonly store: Store;
  readonly logger: Logger;
  readonly clock: () => Date;
}

/** Writes a line of the job's log, and the same to the process's log, with the job's name. */
export function logJob(deps: JobContextDeps, job: JobRecord, level: LogLevel, text: string, code?: MessageCode): void {
  const { crn, phase } = job;
  const line = cut(text);
  deps.store.logs.add(job.seq, { time: deps.clock(), level, phase, code, text: line });
  deps.logger[level === "warning" ? "warn" : level]({ crn, phase, code }, line);
}

/** Records a warning or error and its line of the log, both or neither; nothing when the job has it already. */
export function recordMessage(
  deps: JobContextDeps,
  job: JobRecord,
  message: {
    readonly level: "warning" | "error";
    readonly namespace: string;
    readonly text: string;
    readonly code: MessageCode | undefined;
  },
): void {
  const { store, clock } = deps;
  const { level, namespace, code } = message;
  const text = cut(message.text);
  store.database.transaction(() => {
    if (!store.messages.add(job.seq, { level, namespace, text, code, time: clock() })) return;
    store.queue.touch(job.seq, clock());
    logJob(deps, job, level, namespace === "" ? text : `${namespace}: ${text}`, code);
  });
}

/** The context of one step of a job; see `JobContext`. Its functions need no `this`. */
export function createJobContext(
  deps: JobContextDeps,
  job: JobRecord,
  signal: AbortSignal,
  { progressed, claimControlPlane }: Pick<JobContext, "progressed" | "claimControlPlane">,
): JobContext {
  const { store, clock } = deps;
  const { notes } = store;
  const backup = () => store.jobs.get(job.backupCrn)?.seq ?? noJob;
  return {
    job: asJob(job),
    phase: job.phase,
    signal,
    notes: {
      get: (key) => notes.get(job.seq, key),
      set: (key, value) => notes.setAll(job.seq, [[key, value]]),
      setAll: (entries) => notes.setAll(job.seq, entries),
      entries: (prefix) => notes.entries(job.seq, prefix),
      clear: (prefix) => notes.clear(job.seq, prefix),
    },
    backupNotes: {
      get: (key) => notes.get(backup(), key),
      entries: (prefix) => notes.entries(backup(), prefix),
    },
    info: (text, code) => logJob(deps, job, "info", text, code),
    progressed,
    claimControlPlane,
    warn: (code, namespace, text) => recordMessage(deps, job, { level: "warning", namespace, text, code }),
    error: (code, namespace, text) => recordMessage(deps, job, { level: "error", namespace, text, code }),
    messages: () => store.messages.list(job.seq),
    setIncludedNamespaces: (namespaces) => store.queue.setIncludedNamespaces(job.seq, namespaces, clock()),
  };
}

/** A job as its phases see it. */
export function asJob({
  crn,
  kind,
  name,
  displayName,
  backupCrn,
  entity,
  itemName,
  parameters,
  createdAt,
}: JobRecord): Job {
  return { crn, uuid: uuidOf(crn), kind, name, displayName, backupCrn, entity, itemName, parameters, createdAt };
}

function cut(text: string): string {
  const whole = text.toWellFormed();
  return whole.length <= maxTextLength ? whole : `${whole.slice(0, maxTextLength).toWellFormed()}... (cut)`;
}
