import type { JobRecord } from "../store/job-record.ts";
import { logJob } from "./job-context.ts";
import type { JobContextParts } from "./job-context.ts";

/**
 * What a start does with unfinished jobs: none is declared failed. Each one's restart is counted and logged, durably,
 * before any of them runs, so that a job which kills the process every time is given up some day.
 */
export function recover(parts: JobContextParts): readonly JobRecord[] {
  const { database, queue } = parts.store;
  return database.transaction(() => {
    const jobs = queue.recover();
    for (const job of jobs) {
      const where = job.step === "PHASE" ? job.phase : `the clean-up after ${job.phase}`;
      logJob(parts, job, "info", `continued after a restart in ${where}`);
    }
    return jobs;
  });
}
