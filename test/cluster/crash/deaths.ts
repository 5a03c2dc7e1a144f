import { setTimeout as sleep } from "node:timers/promises";
import { launchService, startService, type ServiceOptions, type TestService } from "../support/service.ts";

/** When the service dies by SIGKILL: as it comes to a named crash point, or some milliseconds after its start. */
export type Death = { readonly at: string } | { readonly afterMs: number };

export interface DoomedJob {
  readonly options: ServiceOptions & { readonly data: string };
  /** Asks the service for the job. It may die of it before it answers. */
  ask(service: TestService): Promise<unknown>;
  /** Whether the job is over. */
  isOver(service: TestService): Promise<boolean>;
  /** Further flags of the nth process. */
  readonly flags?: (process: number) => readonly string[];
  /** Done after each death, before the next process. */
  readonly onDeath?: () => Promise<void>;
}

export interface Survivor {
  /** The process that has ended the job. */
  readonly service: TestService;
  /** Those deaths that were died; a process that does not come to its crash point ends the job. */
  readonly died: readonly Death[];
}

/** Runs a job in one process after another, each of which dies its death, until one of them ends it. */
export async function runThroughDeaths(job: DoomedJob, deaths: readonly Death[]): Promise<Survivor> {
  const died: Death[] = [];
  let asked = false;
  for (const death of deaths) {
    const flags = [...(job.options.flags ?? []), ...(job.flags?.(died.length) ?? [])];
    const launch = asked ? launchService : startService;
    const service = await launch({ ...job.options, flags, ...("at" in death && { crashAt: death.at }) });
    if (!asked) await askOnce(job, service);
    asked = true;
    const killing = "afterMs" in death ? setTimeout(() => void service.kill("SIGKILL"), death.afterMs) : undefined;
    const over = await overOrDead(job, service);
    clearTimeout(killing);
    if (over) return { service, died };
    const signal = await service.ended;
    if (signal !== "SIGKILL") throw new Error(`the service ended by ${signal}, not SIGKILL:\n${service.output()}`);
    died.push(death);
    await job.onDeath?.();
  }
  const flags = [...(job.options.flags ?? []), ...(job.flags?.(died.length) ?? [])];
  const service = await startService({ ...job.options, flags });
  if (!asked) await job.ask(service);
  if (!(await overOrDead(job, service))) throw new Error(`the service died by itself:\n${service.output()}`);
  return { service, died };
}

/** The job is recorded before its first crash point, so a request whose answer never came was accepted all the same. */
async function askOnce(job: DoomedJob, service: TestService): Promise<void> {
  try {
    await job.ask(service);
  } catch (error) {
    const died = await Promise.race([service.ended.then(() => true), sleep(1_000, false)]);
    if (!died) throw error;
  }
}

const jobTimeoutMs = 150_000;

/** True when the job is over, false when the process has died before. */
async function overOrDead(job: DoomedJob, service: TestService): Promise<boolean> {
  const limit = Date.now() + jobTimeoutMs;
  let dead = false;
  void service.ended.then(() => (dead = true));
  for (;;) {
    if (dead) return false;
    // Every answer of a process that dies meanwhile is an error.
    if (await job.isOver(service).catch(() => false)) return true;
    if (Date.now() > limit) throw new Error(`the job is not over in time:\n${service.output().slice(-5_000)}`);
    await sleep(50);
  }
}
