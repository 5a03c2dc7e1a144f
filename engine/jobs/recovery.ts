import type { JobRecord } from "../store/job-record.ts";
import { logJob } from "./job-context.ts";
import type { JobContextDeps } from "./job-context.ts";

/**
 * Recovers unfinished jobs at a start: none is declared failed. Each one's restart is counted and logged, durably,
 * before any of them runs, so that a job that kills the process every time is finally abandoned. Returns those to be run;
 * background work yields first.
 */
export function recover(
  deps: JobContextDeps,
  isBackground: (job: JobRecord) => boolean = () => false,
): readonly JobRecord[] {
  const { database, queue } = deps.store;
  return database.transaction(() => {
    const jobs = queue.recover();
    for (const job of jobs.filter(isBackground)) queue.setAside(job.seq);
    const others = jobs.filter((job) => !isBackground(job));
    for (const job of others) logJob(deps, job, "info", `continued after a restart in ${whereOf(job)}`);
    return others;
  });
}

/** Where a job goes on. */
export function whereOf({ step, phase }: JobRecord): string {
  return step === "PHASE" ? phase : `the clean-up after ${phase}`;
}
