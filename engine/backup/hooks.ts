import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { pods } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";

/** A command that a pod asks to be run in it. Velero's annotations: https://velero.io/docs/main/backup-hooks/ */
interface Hook {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  readonly onError: "Fail" | "Continue";
  readonly timeoutMs: number;
}

/** Where the notes keep the pods whose applications are held, and what lets them go again. */
const heldNotes = "hook/";
const hooksAtOnce = 8;

/** Whether any pod of the namespaces asks for a command. */
export async function hasHooks(cluster: Cluster, namespaces: readonly string[], signal: AbortSignal): Promise<boolean> {
  for (const namespace of namespaces)
    for await (const pod of cluster.list(pods, namespace, signal))
      if (hookOf(pod, "pre", 0) ?? hookOf(pod, "post", 0)) return true;
  return false;
}

/**
 * Runs each pod's pre hook. What will undo it is noted before, so that a crash leaves no application held for good. A
 * hook that fails fails the backup (FAILED_PRECONDITION) or, when its pod says `on-error: Continue`, is a warning.
 */
export async function quiesceApplications(
  { cluster, limits }: JobParts,
  context: JobContext,
  namespaces: readonly string[],
): Promise<void> {
  const { notes, signal } = context;
  const hooks: Hook[] = [];
  for (const namespace of namespaces)
    for await (const pod of cluster.list(pods, namespace, signal)) {
      if ((pod["status"] as { phase?: string } | undefined)?.phase !== "Running") continue;
      const before = hookOf(pod, "pre", limits.hookTimeout);
      const after = hookOf(pod, "post", limits.hookTimeout);
      if (after) notes.set(`${heldNotes}${namespace}/${pod.metadata.name}/`, after);
      if (before) hooks.push(before);
    }
  await forEachInFlight(hooks, hooksAtOnce, (hook) => runHook(cluster, context, hook, "pre"));
}

/** Runs the post hook of every pod that is held, once. None of them fails the backup any more: each failure is told. */
export async function resumeApplications({ cluster }: Pick<JobParts, "cluster">, context: JobContext): Promise<void> {
  const held = [...context.notes.entries<Hook>(heldNotes)];
  await forEachInFlight(held, hooksAtOnce, async ([key, hook]) => {
    await runHook(cluster, context, { ...hook, onError: "Continue" }, "post");
    context.notes.clear(key);
  });
}

async function runHook(
  cluster: JobParts["cluster"],
  context: JobContext,
  hook: Hook,
  when: "pre" | "post",
): Promise<void> {
  try {
    const output = await cluster.exec(hook, context.signal);
    context.info(
      `${when} hook of pod ${hook.namespace}/${hook.pod} ran${output === "" ? "" : ` and said ${output.length} characters`}`,
    );
  } catch (error) {
    if (!(error instanceof DrsError)) throw error;
    const text = `the ${when} hook of pod ${hook.pod} failed: ${error.message}`;
    if (hook.onError === "Fail")
      throw new DrsError("FAILED_PRECONDITION", `${hook.namespace}: ${text}`, { cause: error });
    context.warn(hook.namespace, text);
  }
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
