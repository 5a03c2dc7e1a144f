import { setTimeout as pause } from "node:timers/promises";
import type { Screen } from "./screen.ts";

/** What a description says of a job, whatever its kind. */
export interface JobView {
  readonly state: string;
  readonly warnings: readonly { readonly namespace: string; readonly text: string }[];
  readonly errors: readonly { readonly namespace: string; readonly text: string }[];
}

export interface FollowedJob {
  describe(): Promise<JobView>;
  logs(): Promise<string>;
  /** What to show of a phase, of which the log says this last. */
  progress(text: string): Promise<string>;
}

interface Phase {
  readonly name: string;
  readonly started: number;
  /** Milliseconds; undefined while it runs. */
  took?: number;
  /** The latest line of the log. */
  text: string;
}

const interval = 60;

/** Shows a job's phases as they pass, and resolves when it is finished. */
export async function followJob(job: FollowedJob, screen: Screen): Promise<JobView> {
  let shown = 0;
  for (;;) {
    const view = await job.describe();
    for (const { name, took, text } of readPhases(await job.logs()).slice(shown)) {
      const progress = await job.progress(text);
      if (took === undefined) {
        screen.move(`  … ${name.padEnd(27)} ${progress}`);
        break;
      }
      const seconds = `${(took / 1000).toFixed(1)} s`.padStart(6);
      screen.line(`  ${screen.style("green", "✔")} ${name.padEnd(20)} ${seconds} ${progress}`);
      shown++;
    }
    if (!["NOT_STARTED", "IN_PROGRESS"].includes(view.state)) {
      showEnd(view, screen);
      return view;
    }
    await pause(interval);
  }
}

function showEnd({ state, warnings, errors }: JobView, screen: Screen): void {
  for (const { text } of warnings) screen.line(`  ${screen.style("yellow", "!")} ${text}`);
  for (const { text } of errors) screen.line(`  ${screen.style("red", "✘")} ${text}`);
  screen.line(`  ${state}`);
}

/** The phases in a job's log: `<time> <level> <phase> <text>`, a line an event. */
function readPhases(log: string): readonly Phase[] {
  const phases: Phase[] = [];
  for (const line of log.split("\n")) {
    const [, time = "", name = "", text = ""] = /^(\S+) +[A-Z]+ +([A-Z_]+) (.*)$/.exec(line) ?? [];
    const last = phases.at(-1);
    if (text === "phase started") phases.push({ name, started: Date.parse(time), text: "" });
    else if (last?.name === name && text.startsWith("phase finished")) last.took = Date.parse(time) - last.started;
    else if (last?.name === name && last.took === undefined) last.text = text;
  }
  return phases;
}
