import { DrsError } from "../../errors.ts";
import type { MessageCode } from "../../message-codes.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { silentWebhook } from "../../kubernetes/kubernetes-error.ts";
import type { RestoreSource } from "../source/restore-source.ts";

/** Notes of refused objects that will be tried again, each with the cluster's words. */
export const refusedNotes = "refused/";
const abandonedNotes = "given-up/";

interface Abandoned {
  readonly text: string;
  readonly objects: number;
}

/** The report of an object that the cluster refuses, or of all of a kind. */
interface Refusal {
  readonly code: MessageCode;
  readonly namespace?: string;
  readonly what: string;
  readonly text: string;
  readonly objects?: number;
}

/** Reports an error of an object that the cluster refuses, or of all of a kind, while the rest goes on. */
export function reportAbandoned(
  context: JobContext,
  { notesPrefix }: Pick<RestoreSource, "notesPrefix">,
  { code, namespace = "", what, text, objects = 1 }: Refusal,
): void {
  const abandoned: Abandoned = { text: `${what} ${text}`, objects };
  context.notes.set(abandonedKey(notesPrefix, namespace, what), abandoned);
  context.error(code, namespace, abandoned.text);
}

/**
 * FAILED_PRECONDITION when the cluster refuses more objects than a restore may be without: then it fails while it can
 * still roll back. To be called before the replaced objects and volumes go. It names only objects that have no error of their own yet.
 */
export function failWhenTooMany(
  { restore }: Pick<JobDeps, "restore">,
  context: JobContext,
  source: RestoreSource,
): void {
  const abandoned = abandonedSoFar(context, source);
  const objects = abandoned.reduce((sum, it) => sum + it.objects, 0);
  if (objects <= restore.maxRefusedObjects) return;
  const waiting = refusedSoFar(context, source);
  const silent = silentWebhooks([...abandoned.map(({ text }) => text), ...waiting]);
  const cause = silent ?? (waiting.length > 0 ? causeOf(waiting) : "the errors before this one name them");
  throw new DrsError(
    "FAILED_PRECONDITION",
    `the cluster refuses ${objects + waiting.length} objects, more than a restore may leave out (--max-refused-objects ${restore.maxRefusedObjects}): ${cause}`,
    { id: "DRS-R050" },
  );
}

function abandonedKey(notesPrefix: string, namespace: string, what: string): string {
  return `${notesPrefix}${abandonedNotes}${namespace}/${what}`;
}

/** Whether an error of this object was reported. */
export function isAbandoned(
  { notes }: JobContext,
  { notesPrefix }: Pick<RestoreSource, "notesPrefix">,
  namespace: string,
  what: string,
): boolean {
  return notes.get(abandonedKey(notesPrefix, namespace, what)) !== undefined;
}

/** The objects with reported errors. */
export function abandonedSoFar({ notes }: JobContext, { notesPrefix }: RestoreSource): readonly Abandoned[] {
  return [...notes.entries<Abandoned>(notesPrefix + abandonedNotes)].map(([, it]) => it);
}

/** The refusals that will be tried again, in words. */
export function refusedSoFar({ notes }: JobContext, { notesPrefix }: RestoreSource): readonly string[] {
  return [...notes.entries<string>(notesPrefix + refusedNotes)].map(([, text]) => text);
}

/** Limit of refusals reported in full: they are long, and mostly the same. */
const reportedAtMost = 3;

/** Why objects were refused: the webhooks that do not answer, if that is all, or else the first refusals. */
export function causeOf(refusals: readonly string[]): string {
  const more = refusals.length > reportedAtMost ? "; and others" : "";
  return silentWebhooks(refusals) ?? `${refusals.slice(0, reportedAtMost).join("; ")}${more}`;
}

/** The webhooks that do not answer, where these alone are why objects were refused. */
function silentWebhooks(refusals: readonly string[]): string | undefined {
  const silent = new Set(refusals.map(silentWebhook));
  return silent.has(undefined) ? undefined : `nobody answers for webhook ${[...silent].join(", ")}`;
}
