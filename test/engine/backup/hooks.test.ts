import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { quiesceApplications, resumeApplications } from "../../../engine/backup/hooks.ts";
import { DrsError } from "../../../engine/errors.ts";
import type { BackupDeps } from "../../../engine/backup/backup-deps.ts";
import type { JobContext } from "../../../engine/jobs/phase.ts";
import { type PodCommand, StillRunningError } from "../../../engine/kubernetes/connection/pod-exec.ts";

// A pause takes no time, and the clock goes on by it.
vi.mock("node:timers/promises", () => ({
  setTimeout: async (milliseconds: number) => void vi.setSystemTime(Date.now() + milliseconds),
}));
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const away = () => new DrsError("UNAVAILABLE", "could not be started: connection refused");

/** Pods of these names, each with a pre and a post hook, and what their commands do: `freeze web`. */
function applications(names: readonly string[], run: (what: string) => Promise<string> | string, more = {}) {
  const ran: string[] = [];
  const notes = new Map<string, unknown>();
  const said: string[] = [];
  const cluster = {
    async *list() {
      for (const name of names)
        yield {
          metadata: {
            name,
            namespace: "cdp",
            annotations: {
              "pre.hook.backup.velero.io/command": '["freeze"]',
              "post.hook.backup.velero.io/command": '["thaw"]',
              ...more,
            },
          },
          spec: { containers: [{ name: "main" }] },
          status: { phase: "Running" },
        };
    },
    version: () => Promise.resolve("v1.35.4"),
    exec: async ({ pod, command }: PodCommand) => {
      const what = `${command.join(" ")} ${pod}`;
      ran.push(what);
      return run(what);
    },
  };
  const context = {
    signal: new AbortController().signal,
    notes: {
      set: (key: string, value: unknown) => notes.set(key, value),
      clear: (key: string) => notes.delete(key),
      entries: () => notes.entries(),
    },
    info: (text: string) => said.push(`info ${text}`),
    warn: (_code: string, _namespace: string, text: string) => said.push(`warning ${text}`),
  } as unknown as JobContext;
  const deps = { cluster, limits: { hookTimeout: 30_000 } } as unknown as BackupDeps;
  return {
    ran,
    said,
    quiesce: () => quiesceApplications(deps, context, ["cdp"]),
    resume: () => resumeApplications(deps, context),
  };
}

test("a pre hook that the API server or the node does not run for a while is run when it does", async () => {
  let failures = 3;
  const { ran, said, quiesce } = applications(["db"], () => {
    if (failures-- > 0) throw away();
    return "";
  });
  await quiesce();
  expect(ran).toEqual(["freeze db", "freeze db", "freeze db", "freeze db"]);
  expect(said.filter((text) => text.startsWith("warning"))).toEqual([]);
  expect(said[0]).toMatch(/^info the pre hook of pod cdp\/db is tried again: .*connection refused/);
});

test("one that is not run for longer is UNAVAILABLE, so that the phase waits, and the others are let go meanwhile", async () => {
  for (const more of [{}, { "pre.hook.backup.velero.io/on-error": "Fail" }]) {
    const run = (what: string) => (what === "freeze db" ? Promise.reject(away()) : "");
    const { ran, quiesce } = applications(["db", "web"], run, more);
    await expect(quiesce()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(ran).toContain("thaw web");
  }
});

test("a pre hook whose connection breaks is not run twice at once: the phase starts over, with the post hook", async () => {
  const broken = new StillRunningError("UNAVAILABLE", "may have run to its end or not: the connection broke");
  const run = (what: string) => (what === "freeze db" ? Promise.reject(broken) : "");
  const { ran, quiesce } = applications(["db"], run);
  await expect(quiesce()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(ran).toEqual(["freeze db", "thaw db"]);
});

test("of a pre hook that outlives its time limit it is reported, then and after the post hook, that it may still run", async () => {
  const late = new StillRunningError("FAILED_PRECONDITION", "did not end within 30 s, and may still run", {
    id: undefined,
  });
  const run = (what: string) => (what === "freeze db" ? Promise.reject(late) : "");
  const { said, quiesce, resume } = applications(["db"], run, { "pre.hook.backup.velero.io/on-error": "Continue" });
  await quiesce();
  await resume();
  expect(said.filter((text) => text.startsWith("warning"))).toEqual([
    "warning the pre hook of pod db failed: did not end within 30 s, and may still run",
    "warning the pre hook of pod db (freeze) was not seen to end and may still run: it may hold the application although the post hook has let it go. Once it has ended there, run kubectl exec -n cdp db -c main -- thaw",
  ]);
});

test("a post hook that keeps failing is in the log from its first failure on, less and less often", async () => {
  const failing = new DrsError("FAILED_PRECONDITION", "exit code 3", { id: undefined });
  const { said, quiesce, resume } = applications(["db"], (what) => (what === "thaw db" ? Promise.reject(failing) : ""));
  await quiesce();
  await resume();
  const lines = said.filter((text) => text.includes("post hook"));
  expect(lines[0]).toBe("info the post hook of pod cdp/db is tried again for 300 s more: exit code 3");
  expect(lines.length).toBeGreaterThan(4);
  expect(lines.length).toBeLessThan(9);
  expect(lines.at(-1)).toMatch(
    /^warning the post hook of pod db failed: exit code 3\. The application may still be held/,
  );
});
