import type { Caller, JobKind, JobPhase, JobState } from "../model.ts";

/** The running step of a job: its phase, the clean-up after the last phase, or the clean-up after a failure. */
export type JobStep = "PHASE" | "FINISH" | "FAIL";

/** The origin of a job: a caller of the API, the tick of a policy, a custom resource, the service itself. */
export type Origin = "caller" | "policy" | "custom-resource" | "service";

/** The data of a job when it is recorded. */
export interface NewJob {
  readonly crn: string;
  readonly kind: JobKind;
  readonly name: string;
  readonly displayName: string;
  /** The display name that the caller asked for; empty when it was made up. */
  readonly requestedName: string;
  /** The backup that is made (then the job's own CRN), restored or deleted. */
  readonly backupCrn: string;
  readonly entity: string;
  readonly itemName: string;
  readonly state: JobState;
  readonly phase: JobPhase;
  readonly includedNamespaces: readonly string[];
  readonly origin: Origin;
  readonly caller: Caller;
  /** The job's parameters, as JSON; null when the service that recorded it kept none. */
  readonly parameters: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface JobRecord extends NewJob {
  /** The order of arrival, and the key of the job's messages, log and notes. */
  readonly seq: number;
  readonly step: JobStep;
  /** How often in a row a start found the job running this step. */
  readonly recoveries: number;
}

/** A job in a list. */
export type ListedJob = Pick<
  JobRecord,
  "seq" | "crn" | "displayName" | "backupCrn" | "state" | "phase" | "includedNamespaces" | "createdAt"
>;

/** Reading all columns would take twice as long. */
export const listedColumns = `seq, crn, display_name AS displayName, backup_crn AS backupCrn, state, phase,
  included_namespaces AS includedNamespaces, created_ms AS createdMs`;

/** A row of `listedColumns`. */
export interface ListedRow extends Omit<ListedJob, "includedNamespaces" | "createdAt"> {
  readonly includedNamespaces: string;
  readonly createdMs: number;
}

/** Written out, as a rest of the row would take twice as long. */
export function listedJob(row: ListedRow): ListedJob {
  const { seq, crn, displayName, backupCrn, state, phase } = row;
  const includedNamespaces = JSON.parse(row.includedNamespaces) as string[];
  return { seq, crn, displayName, backupCrn, state, phase, includedNamespaces, createdAt: new Date(row.createdMs) };
}

export const jobColumns = `seq, crn, kind, name, display_name AS displayName, requested_name AS requestedName,
  backup_crn AS backupCrn, entity, item_name AS itemName, state, phase, step, included_namespaces AS includedNamespaces,
  origin, caller_name AS callerName, request_id AS requestId, parameters, created_ms AS createdMs, updated_ms AS updatedMs, recoveries`;

/** A row of `jobColumns`. */
export interface JobRow extends Omit<JobRecord, "includedNamespaces" | "caller" | "createdAt" | "updatedAt"> {
  readonly includedNamespaces: string;
  readonly callerName: string;
  readonly requestId: string;
  readonly createdMs: number;
  readonly updatedMs: number;
}

export function jobRecord(row: JobRow): JobRecord {
  const { includedNamespaces, callerName, requestId, createdMs, updatedMs, ...rest } = row;
  return {
    ...rest,
    includedNamespaces: JSON.parse(includedNamespaces) as string[],
    caller: { name: callerName, requestId },
    createdAt: new Date(createdMs),
    updatedAt: new Date(updatedMs),
  };
}
