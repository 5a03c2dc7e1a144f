import type { JobState } from "../model.ts";
import type { JobRecord } from "./job-record.ts";
import type { Store } from "./store.ts";

/**
 * The changes at the end of a job besides its own row, in the transaction that ends it. A deletion that succeeded takes
 * the rows of the backup and of its restores along; one that failed shows its errors at the backup, which stays
 * TERMINATING until another deletion succeeds. Old deletions are forgotten then.
 */
export function conclude(store: Store, job: JobRecord, state: JobState): void {
  if (job.kind !== "deletion") return;
  if (state !== "FAILED") {
    store.jobs.removeBackup(job.backupCrn);
    store.jobs.forgetDeletions(job.updatedAt);
    return;
  }
  const backup = store.jobs.get(job.backupCrn);
  if (backup === undefined) return;
  for (const message of store.messages.list(job.seq)) {
    if (message.level === "error") store.messages.add(backup.seq, message);
  }
  store.queue.touch(backup.seq, job.updatedAt);
}
