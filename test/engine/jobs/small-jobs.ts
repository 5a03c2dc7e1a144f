import { onTestFinished, vi } from "vitest";
import { CrashPoints } from "../../../engine/crash-points.ts";
import { silentLogger } from "../../../engine/logger.ts";
import type { JobContext, JobDefinition } from "../../../engine/jobs/phase.ts";
import { defaultRunnerSettings, JobRunner } from "../../../engine/jobs/runner.ts";
import type { RunnerDeps, RunnerSettings } from "../../../engine/jobs/runner.ts";
import type { JobKind, JobPhase } from "../../../engine/model.ts";
import type { Store } from "../../../engine/store/store.ts";

export type Work = (context: JobContext) => Promise<void> | void;

/** A kind of job whose parts do what a test says, and nothing otherwise. */
export function job(parts: Readonly<Partial<Record<JobPhase | "finish" | "fail", Work>>>): JobDefinition {
  const { finish, fail, ...phases } = parts;
  const run = (work: Work | undefined) => async (context: JobContext) => work?.(context);
  return {
    phases: Object.entries(phases).map(([name, work]) => ({ name: name as JobPhase, run: run(work) })),
    finish: run(finish),
    fail: run(fail),
  };
}

export const idle = job({ PRE_VALIDATION: () => {} });

/** Waits that take no time worth mentioning. */
export const fastSettings: RunnerSettings = { ...defaultRunnerSettings, backoff: { firstDelay: 1, maxDelay: 4 } };

export function createRunner(
  store: Store,
  definitions: Partial<Record<JobKind, JobDefinition>>,
  more: Partial<RunnerDeps> = {},
): JobRunner {
  const runner = new JobRunner({
    store,
    definitions: { backup: idle, restore: idle, deletion: idle, copy: idle, upkeep: idle, ...definitions },
    logger: silentLogger,
    clock: () => new Date(),
    crashPoints: new CrashPoints(),
    random: Math.random,
    settings: fastSettings,
    ...more,
  });
  onTestFinished(() => runner.close());
  return runner;
}

/** Waits until the job is in this state, or is gone. */
export async function reaches(store: Store, crn: string, state: string): Promise<void> {
  await vi.waitFor(
    () => {
      const now = store.jobs.get(crn)?.state ?? "gone";
      if (now !== state) throw new Error(`${crn} is ${now}, not ${state}`);
    },
    { interval: 5, timeout: 20_000 },
  );
}

/** A promise to be kept by hand. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: () => resolve() };
}

export function waitForAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("stopped")), { once: true });
  });
}
