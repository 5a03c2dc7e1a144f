import type {
  Backup,
  BackupPhase,
  BackupSummary,
  JobState,
  Message,
  Restore,
  RestorePhase,
  RestoreSummary,
} from "../model.ts";
import { successConditions } from "../kinds/readiness.ts";
import type { JobRecord, ListedJob } from "../store/job-record.ts";
import type { MessageRecord } from "../store/message-store.ts";

export function backupSummary({ crn, displayName: name, state, phase, createdAt }: ListedJob): BackupSummary {
  return { crn, name, state, phase: phase as BackupPhase, createdAt };
}

/** The backup is there, so errors of its copy are no more than warnings. */
export function backupView(
  job: JobRecord,
  messages: readonly MessageRecord[],
  ofCopy: readonly MessageRecord[] = [],
): Backup {
  const warnings = ofCopy.map((message) => ({ ...message, level: "warning" as const }));
  const all = [...messages, ...warnings];
  return { ...common(job), name: job.displayName, phase: job.phase as BackupPhase, ...byLevel(all) };
}

export function restoreSummary(job: ListedJob): RestoreSummary {
  const { crn, backupCrn, state, phase, createdAt, includedNamespaces } = job;
  return { crn, backupCrn, state, phase: phase as RestorePhase, createdAt, includedNamespaces };
}

export function restoreView(
  job: JobRecord,
  excludedResources: readonly string[],
  messages: readonly MessageRecord[],
): Restore {
  const { backupCrn, phase } = job;
  return {
    ...common(job),
    backupCrn,
    phase: phase as RestorePhase,
    excludedResources,
    successConditions,
    ...byLevel(messages),
  };
}

function common({ crn, name, state, includedNamespaces, createdAt, updatedAt }: JobRecord) {
  return { crn, job: name, state: state satisfies JobState, includedNamespaces, createdAt, updatedAt };
}

function byLevel(messages: readonly MessageRecord[]): { warnings: readonly Message[]; errors: readonly Message[] } {
  const of = (level: MessageRecord["level"]) =>
    messages
      .filter((message) => message.level === level)
      .map(({ namespace, text, code, time }) => ({ namespace, text, ...(code && { code }), timestamp: time }));
  return { warnings: of("warning"), errors: of("error") };
}
