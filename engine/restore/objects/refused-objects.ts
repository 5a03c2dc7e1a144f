import { DrsError } from "../../errors.ts";
import type { MessageCode } from "../../message-codes.ts";
import type { JobParts } from "../../jobs/parts.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { silentWebhook } from "../../kubernetes/kubernetes-error.ts";
import type { RestoreSource } from "../source/restore-source.ts";

/** Where it is noted which objects were refused and will be tried again, each with the cluster's words. */
export const refusedNotes = "refused/";
const givenUpNotes = "given-up/";

interface GivenUp {
  readonly text: string;
  readonly objects: number;
}

/** What is told of an object that the cluster does not take, or of all of a kind. */
interface Refusal {
  readonly code: MessageCode;
  readonly namespace?: string;
  readonly what: string;
  readonly text: string;
  readonly objects?: number;
}

/** Tells an error of an object that the cluster does not take, or of all of a kind, while the rest goes on. */
export function tellGivenUp(
  context: JobContext,
  { notesPrefix }: Pick<RestoreSource, "notesPrefix">,
  { code, namespace = "", what, text, objects = 1 }: Refusal,
): void {
  const givenUp: GivenUp = { text: `${what} ${text}`, objects };
  context.notes.set(givenUpKey(notesPrefix, namespace, what), givenUp);
  context.error(code, namespace, givenUp.text);
}

/**
 * FAILED_PRECONDITION when the cluster does not take more objects than a restore may be without: it fails then while it can
 * still go back. To be called before what was replaced goes. It names only objects that have no error of their own yet.
 */
export function failWhenTooMany(
  { restore }: Pick<JobParts, "restore">,
  context: JobContext,
  source: RestoreSource,
): void {
  const givenUp = givenUpSoFar(context, source);
  const objects = givenUp.reduce((sum, it) => sum + it.objects, 0);
  if (objects <= restore.maxRefusedObjects) return;
  const waiting = refusedSoFar(context, source);
  const silent = silentWebhooks([...givenUp.map(({ text }) => text), ...waiting]);
  const cause = silent ?? (waiting.length > 0 ? causeOf(waiting) : "the errors before this one name them");
  throw new DrsError(
    "FAILED_PRECONDITION",
    `the cluster refuses ${objects + waiting.length} objects, more than a restore may be without (--max-refused-objects ${restore.maxRefusedObjects}): ${cause}`,
    { id: "DRS-R050" },
  );
}

function givenUpKey(notesPrefix: string, namespace: string, what: string): string {
  return `${notesPrefix}${givenUpNotes}${namespace}/${what}`;
}

/** Whether an error was told of this object. */
export function isGivenUp(
  { notes }: JobContext,
  { notesPrefix }: Pick<RestoreSource, "notesPrefix">,
  namespace: string,
  what: string,
): boolean {
  return notes.get(givenUpKey(notesPrefix, namespace, what)) !== undefined;
}

/** What an error was told of. */
export function givenUpSoFar({ notes }: JobContext, { notesPrefix }: RestoreSource): readonly GivenUp[] {
  return [...notes.entries<GivenUp>(notesPrefix + givenUpNotes)].map(([, it]) => it);
}

/** What was refused and will be tried again, in words. */
export function refusedSoFar({ notes }: JobContext, { notesPrefix }: RestoreSource): readonly string[] {
  return [...notes.entries<string>(notesPrefix + refusedNotes)].map(([, text]) => text);
}

/** So many refusals are told in full: they are long, and mostly the same. */
const toldAtMost = 3;

/** Why objects were refused: the webhooks that do not answer, if that is all, or else the first refusals. */
export function causeOf(refusals: readonly string[]): string {
  const more = refusals.length > toldAtMost ? "; and others" : "";
  return silentWebhooks(refusals) ?? `${refusals.slice(0, toldAtMost).join("; ")}${more}`;
}

/** The webhooks that do not answer, where these alone are why objects were refused. */
function silentWebhooks(refusals: readonly string[]): string | undefined {
  const silent = new Set(refusals.map(silentWebhook));
  return silent.has(undefined) ? undefined : `nobody answers for webhook ${[...silent].join(", ")}`;
}
