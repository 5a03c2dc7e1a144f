import { setTimeout as sleep } from "node:timers/promises";
import { DrsError } from "../errors.ts";
import type { JobContext } from "../jobs/phase.ts";
import { pods } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { StillRunningError } from "../kubernetes/connection/pod-exec.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import type { BackupDeps } from "./backup-deps.ts";

/** A command that a pod asks to be run in it. Velero's annotations: https://velero.io/docs/main/backup-hooks/ */
interface Hook {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  readonly onError: "Fail" | "Continue";
  readonly timeoutMs: number;
}

/** A post hook that is due. Once abandoned, it is tried no more than once in a later run. */
interface HeldHook extends Hook {
  readonly isAbandoned?: boolean;
  /** The pre hook that may still run when this one has let the application go. */
  readonly unfinished?: Hook;
}

/** Where the notes keep the pods whose applications are held, and what lets them go again. */
const heldNotes = "hook/";
const hooksAtOnce = 8;
/** A post hook that fails is tried again for so many times the time limit of hooks: for five minutes, unless that is set. */
const patience = 10;
const firstPauseMs = 500;
const longestPauseMs = 15_000;
/** A hook that still fails is reported again after twice as long each time. */
const firstReminderMs = 15_000;

/** Whether any pod of the namespaces asks for a command. */
export async function hasHooks(cluster: Cluster, namespaces: readonly string[], signal: AbortSignal): Promise<boolean> {
  for (const namespace of namespaces)
    for await (const pod of cluster.list(pods, namespace, signal))
      if (hookOf(pod, "pre", 0) ?? hookOf(pod, "post", 0)) return true;
  return false;
}

/**
 * Runs each pod's pre hook. Its post hook is noted before, so that a crash leaves no application held permanently. A
 * hook that fails fails the backup (FAILED_PRECONDITION) or, when its pod says `on-error: Continue`, is a warning. One that
 * the API server or the pod's node does not run is tried for a while; then, and when the connection breaks while it runs,
 * this is UNAVAILABLE, all others have been released, and it may be called again.
 */
export async function quiesceApplications(
  deps: BackupDeps,
  context: JobContext,
  namespaces: readonly string[],
): Promise<void> {
  const { cluster, limits } = deps;
  const { notes, signal } = context;
  const asking: { readonly key: string; readonly before?: Hook | undefined; readonly after?: Hook | undefined }[] = [];
  for (const namespace of namespaces)
    for await (const pod of cluster.list(pods, namespace, signal)) {
      if (phaseOf(pod) !== "Running") continue;
      const before = hookOf(pod, "pre", limits.hookTimeout);
      const after = hookOf(pod, "post", limits.hookTimeout);
      if (before ?? after) asking.push({ key: `${heldNotes}${namespace}/${pod.metadata.name}/`, before, after });
    }
  try {
    await forEachInFlight(asking, hooksAtOnce, async ({ key, before, after }) => {
      if (after) notes.set(key, after);
      if (before)
        await quiesce(deps, context, before, (unfinished) => after && notes.set(key, { ...after, unfinished }));
    });
  } catch (error) {
    if (error instanceof DrsError && error.code === "UNAVAILABLE") await runHeld(cluster, context);
    throw error;
  }
}

async function quiesce(
  { cluster, limits }: BackupDeps,
  context: JobContext,
  hook: Hook,
  onUnfinished: (hook: Hook) => void,
): Promise<void> {
  try {
    await runPatiently(cluster, context, hook, limits.hookTimeout);
  } catch (error) {
    if (!(error instanceof DrsError)) throw error;
    if (error instanceof StillRunningError) onUnfinished(hook);
    const text = `the pre hook of pod ${hook.pod} failed: ${error.message}`;
    const passes =
      error.code === "UNAVAILABLE" && (hook.onError === "Fail" || !(await answers(cluster, context.signal)));
    if (passes || hook.onError === "Fail")
      throw new DrsError(passes ? "UNAVAILABLE" : "FAILED_PRECONDITION", `${hook.namespace}: ${text}`, {
        id: "DRS-B004",
        cause: error,
      });
    context.warn("DRS-B020", hook.namespace, text);
  }
}

/** Runs a pre hook; one that could not be started, as the API server or the node does not answer, again and again. */
async function runPatiently(cluster: Cluster, context: JobContext, hook: Hook, patienceMs: number): Promise<void> {
  const start = Date.now();
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return await runHook(cluster, context, hook, "pre");
    } catch (error) {
      const maySoon =
        error instanceof DrsError && error.code === "UNAVAILABLE" && !(error instanceof StillRunningError);
      if (!maySoon || Date.now() - start >= patienceMs) throw error;
      context.info(`the pre hook of pod ${hook.namespace}/${hook.pod} is tried again: ${error.message}`, "DRS-B005");
      await sleep(pauseMs, undefined, { signal: context.signal });
    }
  }
}

async function answers(cluster: Cluster, signal: AbortSignal): Promise<boolean> {
  return cluster.version(signal).then(
    () => true,
    () => false,
  );
}

/**
 * Runs the post hook of every pod that is held, again and again until it has run or its pod is gone. None fails the backup
 * any more: `report` gets each abandoned one, with the command to run by hand, and each pre hook that may still
 * run and hold its application after that. Until then the log says what fails.
 */
export async function resumeApplications(
  { cluster, limits }: Pick<BackupDeps, "cluster" | "limits">,
  context: JobContext,
  report: JobContext["warn"] = context.warn,
): Promise<void> {
  const { notes, signal } = context;
  const start = Date.now();
  const patienceMs = patience * limits.hookTimeout;
  let reminderMs = 0;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const elapsed = Date.now() - start;
    const failed = await runHeld(cluster, context, report);
    const left = failed.filter(({ hook }) => hook.isAbandoned !== true && elapsed < patienceMs);
    for (const { key, hook, reason } of failed.filter((one) => !left.includes(one))) {
      notes.set(key, { ...hook, isAbandoned: true });
      report("DRS-B018", hook.namespace, `the post hook of pod ${hook.pod} failed: ${reason}. ${howToResume(hook)}`);
    }
    if (left.length === 0) return;
    if (elapsed >= reminderMs) {
      const seconds = Math.ceil((patienceMs - elapsed) / 1_000);
      for (const { hook, reason } of left)
        context.info(
          `the post hook of pod ${hook.namespace}/${hook.pod} is tried again for ${seconds} s more: ${reason}`,
          "DRS-B005",
        );
      reminderMs = Math.max(firstReminderMs, 2 * reminderMs);
    }
    await sleep(pauseMs, undefined, { signal });
  }
}

interface FailedHook {
  readonly key: string;
  readonly hook: HeldHook;
  readonly reason: string;
}

/** Runs each post hook that is due once, and gives those that failed. */
async function runHeld(
  cluster: Cluster,
  context: JobContext,
  report: JobContext["warn"] = context.warn,
): Promise<readonly FailedHook[]> {
  const { notes } = context;
  const failed: FailedHook[] = [];
  await forEachInFlight([...notes.entries<HeldHook>(heldNotes)], hooksAtOnce, async ([key, hook]) => {
    const reason = await failureOf(cluster, context, hook);
    if (reason !== undefined) {
      failed.push({ key, hook, reason });
      return;
    }
    if (hook.unfinished) report("DRS-B019", hook.namespace, mayStillRun(hook.unfinished, hook));
    notes.clear(key);
  });
  return failed;
}

/** Runs a post hook. Undefined when it has run, or its pod is gone. */
async function failureOf(cluster: Cluster, context: JobContext, hook: Hook): Promise<string | undefined> {
  try {
    await runHook(cluster, context, hook, "post");
    return undefined;
  } catch (error) {
    if (!(error instanceof DrsError)) throw error;
    if (!(await isGone(cluster, hook, context.signal))) return error.message;
    context.info(`pod ${hook.namespace}/${hook.pod} is gone, and its post hook is no longer needed`);
    return undefined;
  }
}

/** Whether a pod is not there, or has ended; false while the cluster does not say. */
async function isGone(cluster: Cluster, { namespace, pod }: Hook, signal: AbortSignal): Promise<boolean> {
  try {
    for await (const found of cluster.list(pods, namespace, signal, { fieldSelector: `metadata.name=${pod}` }))
      return phaseOf(found) === "Succeeded" || phaseOf(found) === "Failed";
    return true;
  } catch (error) {
    if (!(error instanceof DrsError)) throw error;
    return false;
  }
}

function phaseOf(pod: KubernetesObject): string | undefined {
  return (pod["status"] as { phase?: string } | undefined)?.phase;
}

function howToResume(hook: Hook): string {
  return `The application may still be held as its pre hook has left it: run ${kubectlOf(hook)}`;
}

function mayStillRun(before: Hook, after: Hook): string {
  return (
    `the pre hook of pod ${before.pod} (${inShell(before.command)}) was not seen to end and may still run: it may hold the ` +
    `application although the post hook has let it go. Once it has ended there, run ${kubectlOf(after)}`
  );
}

function kubectlOf({ namespace, pod, container, command }: Hook): string {
  return `kubectl exec -n ${namespace} ${pod} -c ${container} -- ${inShell(command)}`;
}

function inShell(command: readonly string[]): string {
  const words = command.map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`,
  );
  return words.join(" ");
}

async function runHook(cluster: Cluster, context: JobContext, hook: Hook, when: "pre" | "post"): Promise<void> {
  const output = await cluster.exec(hook, context.signal);
  context.info(
    `${when} hook of pod ${hook.namespace}/${hook.pod} ran${output === "" ? "" : ` and said ${output.length} characters`}`,
  );
}

function hookOf(
  { metadata, ...pod }: KubernetesObject,
  when: "pre" | "post",
  defaultTimeoutMs: number,
): Hook | undefined {
  const annotation = (name: string) => metadata.annotations?.[`${when}.hook.backup.velero.io/${name}`];
  const command = annotation("command");
  if (command === undefined || command === "") return undefined;
  const { containers = [] } = pod["spec"] as { containers?: { name: string }[] };
  return {
    namespace: metadata.namespace ?? "",
    pod: metadata.name,
    container: annotation("container") ?? containers[0]?.name ?? "",
    command: commandOf(command),
    onError: annotation("on-error") === "Continue" ? "Continue" : "Fail",
    timeoutMs: durationOf(annotation("timeout")) ?? defaultTimeoutMs,
  };
}

/** A JSON array of words, or else the one word that is run as it stands. */
function commandOf(text: string): readonly string[] {
  if (!text.trimStart().startsWith("[")) return [text];
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words)) return words.map(String);
  } catch {
    // not JSON after all
  }
  return [text];
}

/** Go's way of writing durations, as far as hooks use it: `90s`, `1m30s`, `500ms`. */
function durationOf(text: string | undefined): number | undefined {
  const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  const parts = [...(text ?? "").matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0) return undefined;
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (unitMs[unit ?? ""] ?? 0), 0);
}
