import { compareObjects } from "../support/compare.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import type { Files, State } from "./state.ts";

export interface RestoreOutcome {
  readonly state: string;
  readonly messages: readonly { readonly namespace: string; readonly text: string }[];
  /** Whether it rolled back, as its log says. */
  readonly rolledBack: boolean;
  readonly uuid: string;
}

/** What is kept elsewhere when the restore is over: objects by key, data by claim (`namespace/name`). */
export interface Copies {
  readonly inBackup: ReadonlySet<string>;
  readonly snapshots: ReadonlySet<string>;
  /** Undefined when the safety archive is gone. */
  readonly inSafetyArchive: ReadonlySet<string> | undefined;
}

export interface Restored {
  readonly saved: State;
  readonly before: State;
  readonly after: State;
  readonly outcome: RestoreOutcome;
  readonly copies: Copies;
  /** What others have changed while the restore ran, by key: nothing is expected of it. */
  readonly ignored: ReadonlySet<string>;
}

/**
 * For every object, claim and byte (file) that existed before a restore, at its end one of these holds: (a) it is as saved in
 * the backup; (b) it is as it was right before the restore; or (c) a message (warnings/errors of describeRestore) names it
 * (kind and name, namespace in the message's namespace or text) AND a copy still exists whose place the message names (the
 * safety archive under safety/<uuid> in storage still there and containing it, or the backup's archive still there and
 * containing it, or a persistent volume that the message names and that still exists with its data). "As it was before"
 * (message "the control plane is as before") is said only if that is so: every object then equals its state before
 * (modulo server-set fields). COMPLETED without messages only if everything is as saved (every saved object there and equal,
 * no live leftovers). Where neither all is as saved nor all as before, what differs is named. What belongs to others is
 * unchanged.
 *
 * Gives a line for each breach.
 */
export function breaches(restored: Restored): readonly string[] {
  const { before, after, outcome, saved, ignored } = restored;
  const goal = outcome.rolledBack ? before : saved;
  const keys = [...new Set([...saved.objects.keys(), ...before.objects.keys(), ...after.objects.keys()])].filter(
    (key) => !ignored.has(key) && !isOfNewNamespace(key, before),
  );
  const claims = [...new Set([...saved.volumeOf.keys(), ...before.volumeOf.keys(), ...after.volumeOf.keys()])];
  const differencesFrom = (state: State) => [
    ...keys.flatMap((key) => objectDifference(key, state, after)),
    ...claims.flatMap((claim) => dataDifference(claim, state, after)),
    ...keys.flatMap((key) => runningDifference(key, state, after)),
  ];
  // What is cluster-scoped, and nothing in the namespaces needed, is in no backup.
  const isBackedUp = (key: string) => key.includes("/") || outcome.rolledBack || restored.copies.inBackup.has(key);
  const fromGoal = differencesFrom(goal).filter(({ key }) => isBackedUp(key));
  const fromBefore = differencesFrom(before);
  const isAsBefore = fromBefore.length === 0;
  return [
    ...keys.flatMap((key) => lostObject(key, restored)),
    ...claims.flatMap((claim) => lostData(claim, restored)),
    ...(isAsBefore && outcome.state === "FAILED"
      ? []
      : fromGoal.filter(({ key }) => !isNamedIn(restored, key)).map(({ text }) => `not named: ${text}`)),
    ...untruths(
      outcome,
      fromBefore.filter(({ key }) => !isNamedAsLeft(outcome, key)).map(({ text }) => text),
      fromGoal.length,
    ),
    ...strayVolumes(restored),
    ...changesOfOthers(restored),
  ];
}

interface Difference {
  readonly key: string;
  readonly text: string;
}

function objectDifference(key: string, was: State, is: State): readonly Difference[] {
  const [before, after] = [was.objects.get(key), is.objects.get(key)];
  if (before?.metadata["deletionTimestamp"] !== undefined && after === undefined) return []; // it was on its way out
  const [text] = difference(key, before, after);
  return text === undefined ? [] : [{ key, text }];
}

/** A set's template is counted by the server, from the start for a recreated object. */
const counted = "deprecated.daemonset.template.generation";

function difference(
  key: string,
  was: KubernetesObject | undefined,
  is: KubernetesObject | undefined,
): readonly string[] {
  // What was on its way out may stay; what was not may not go.
  const isLeaving = was?.metadata["deletionTimestamp"] === undefined && is?.metadata["deletionTimestamp"] !== undefined;
  const picture = (object: KubernetesObject | undefined) => {
    if (object === undefined) return new Map<string, KubernetesObject>();
    const copy = structuredClone(object);
    delete copy.metadata.annotations?.[counted];
    delete copy.metadata["deletionGracePeriodSeconds"];
    if (!isLeaving) delete copy.metadata["deletionTimestamp"];
    return new Map([[key, copy]]);
  };
  const lines = compareObjects(picture(was), picture(is));
  return lines.length > 2 ? [`${lines.slice(0, 2).join("; ")}; ...`] : lines.length === 0 ? [] : [lines.join("; ")];
}

const claimKey = (claim: string) => `PersistentVolumeClaim ${claim}`;

function dataDifference(claim: string, was: State, is: State): readonly Difference[] {
  // A claim that should not be there is reported as an object.
  if (!was.objects.has(claimKey(claim)) || areSame(filesOf(was, claim), filesOf(is, claim))) return [];
  return [
    {
      key: claimKey(claim),
      text: `data of ${claim}: was ${shown(filesOf(was, claim))}, is ${shown(filesOf(is, claim))}`,
    },
  ];
}

function runningDifference(key: string, was: State, is: State): readonly Difference[] {
  const workload = was.objects.get(key);
  const [wished, there] = [was.running.get(key) ?? {}, is.running.get(key) ?? {}];
  const lacks = Object.entries(wished).map(([what, count]) => [what, count - (there[what] ?? 0)] as const);
  if (workload === undefined || lacks.every(([, count]) => count <= 0)) return [];
  const text = `${key} ran ${JSON.stringify(wished)}, runs ${JSON.stringify(there)}`;
  // A roll-out that was under way may have come further.
  const newest = workload["spec"]?.template?.spec?.containers?.[0]?.image as string | undefined;
  if (newest === undefined || isHeldBack(workload)) return [{ key, text }];
  const more = (there[newest] ?? 0) - (wished[newest] ?? 0);
  const lacking = lacks.reduce((sum, [, count]) => sum + Math.max(count, 0), 0);
  return more >= lacking ? [] : [{ key, text }];
}

/** Whether pods of an older template stay until somebody lets them be replaced. */
function isHeldBack({ spec }: KubernetesObject): boolean {
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  return spec.paused === true || type === "OnDelete" || (rollingUpdate?.partition ?? 0) > 0;
}

/** Neither (a) nor (b), and no copy in a reported place. */
function lostObject(key: string, restored: Restored): readonly string[] {
  const { saved, before, after, outcome, copies } = restored;
  const [was, is] = [before.objects.get(key), after.objects.get(key)];
  if (was === undefined && !saved.objects.has(key)) return [];
  const fromSaved = difference(key, saved.objects.get(key), is);
  if (fromSaved.length === 0 || difference(key, was, is).length === 0) return [];
  if (was?.metadata["deletionTimestamp"] !== undefined && is === undefined) return []; // it was on its way out
  const inSafety = copies.inSafetyArchive?.has(key) === true && reports(outcome, `safety/${outcome.uuid}`);
  const hasCopy = outcome.rolledBack ? was === undefined || inSafety : copies.inBackup.has(key) || inSafety;
  if (hasCopy) return isNamedIn(restored, key) ? [] : [`changed and not named: ${fromSaved.join()}`];
  return [`no copy that is told: ${fromSaved.join()}`];
}

function lostData(claim: string, { saved, before, after, outcome, copies }: Restored): readonly string[] {
  const [was, is] = [filesOf(before, claim), filesOf(after, claim)];
  const isSaved = copies.snapshots.has(claim);
  if (was.size === 0 || areSame(was, is)) return [];
  if (isSaved && areSame(filesOf(saved, claim), is)) return [];
  if (!saved.objects.has(claimKey(claim)) && !after.objects.has(claimKey(claim)) && !outcome.rolledBack) return []; // as saved
  const volume = before.volumeOf.get(claim) ?? "";
  if (areSame(was, after.volumes.get(volume)?.files ?? new Map()) && reports(outcome, volume)) return [];
  if (isSaved && !outcome.rolledBack && isNamed(outcome, claimKey(claim))) return [];
  return [`data lost: ${claim} had ${shown(was)} on ${volume}, has ${shown(is)}`];
}

function untruths(outcome: RestoreOutcome, fromBefore: readonly string[], others: number): readonly string[] {
  const { state, messages } = outcome;
  const isSaid = messages.some(({ text }) => /control plane is as before(?!, (but|except))/.test(text));
  return [
    ...(isSaid ? fromBefore.map((line) => `untrue that all is as before: ${line}`) : []),
    ...(state === "COMPLETED" && messages.length === 0 && others > 0 ? ["COMPLETED without a word"] : []),
    ...(state === "COMPLETED" && messages.length > 0 ? ["COMPLETED with messages"] : []),
    ...(state === "FAILED" && messages.length === 0 ? ["FAILED without a word"] : []),
  ];
}

/** What controllers make in each namespace, and so in one that a restore makes. */
function isOfNewNamespace(key: string, { objects }: State): boolean {
  const namespace = /^ServiceAccount (.+)\/default$/.exec(key)?.[1];
  return namespace !== undefined && !objects.has(`Namespace ${namespace}`);
}

/** A namespace that a restore has made stays, empty, and is named. */
function isNamedAsLeft(outcome: RestoreOutcome, key: string): boolean {
  return key.startsWith("Namespace ") && isNamed(outcome, key);
}

/** Volumes that no claim has any more, and that were not left so by their own policy or before. */
function strayVolumes({ before, after, outcome }: Restored): readonly string[] {
  return [...after.volumes].flatMap(([name, { claim }]) => {
    const was = before.volumes.get(name);
    const isStray = after.volumeOf.get(claim) !== name;
    const wasStray = was !== undefined && before.volumeOf.get(claim) !== name;
    if (!isStray || wasStray || was?.policy === "Retain" || reports(outcome, name)) return [];
    return [`stray volume ${name} of ${claim}`];
  });
}

function changesOfOthers({ before, after, ignored }: Restored): readonly string[] {
  return [...before.others].flatMap(([key, was]) => {
    if (ignored.has(key)) return [];
    const is = after.others.get(key);
    const lines = difference(key, was, is);
    const isAnother = is !== undefined && is.metadata["uid"] !== was.metadata["uid"];
    return [...lines, ...(isAnother ? [`${key}: made anew`] : [])].map((line) => `of others: ${line}`);
  });
}

function filesOf(state: State, claim: string): Files {
  return state.volumes.get(state.volumeOf.get(claim) ?? "")?.files ?? new Map<string, string>();
}

function areSame(a: Files, b: Files): boolean {
  return a.size === b.size && [...a].every(([path, digest]) => b.get(path) === digest);
}

function shown(files: Files): string {
  return `{${[...files].map(([path, digest]) => `${path} ${digest.slice(-6)}`).join(", ")}}`;
}

/** The same; a volume may also be named by its own name, when it is kept. */
function isNamedIn({ outcome, after }: Restored, key: string): boolean {
  const claim = key.split("PersistentVolume of ")[1];
  const volume = claim === undefined ? undefined : after.volumeOf.get(claim);
  // A replica set is its deployment's: one that stays as it is keeps its own.
  const owners = after.objects.get(key)?.metadata.ownerReferences ?? [];
  const owner = key.startsWith("ReplicaSet") ? owners.find(({ kind }) => kind === "Deployment") : undefined;
  const namespace = after.objects.get(key)?.metadata.namespace ?? "";
  return (
    isNamed(outcome, key) ||
    (volume !== undefined && reports(outcome, volume)) ||
    (owner !== undefined && isNamed(outcome, `Deployment.apps ${namespace}/${owner.name}`))
  );
}

/** Kinds that messages have another word for. */
const words: Record<string, string> = { PersistentVolumeClaim: "claim", PersistentVolume: "volume" };

/** Whether a message names an object: its kind, its name, and its namespace. */
export function isNamed(outcome: Pick<RestoreOutcome, "messages">, key: string): boolean {
  const { messages } = outcome;
  if (key.startsWith("PersistentVolume of ")) return isNamed(outcome, key.replace("Volume of", "VolumeClaim"));
  const [type = "", path = ""] = key.replace(" of ", " ").split(" ");
  const kind = type.split(".")[0] ?? "";
  const [name = "", place] = path.split("/").toReversed();
  return messages.some(({ namespace, text }) => {
    const plain = text.toLowerCase().replaceAll(" ", "");
    const isKind = plain.includes(kind.toLowerCase()) || (words[kind] !== undefined && plain.includes(words[kind]));
    const isPlace = place === undefined || namespace === place || hasWord(text, place);
    return isKind && isPlace && hasWord(text, name);
  });
}

function reports({ messages }: RestoreOutcome, what: string): boolean {
  return messages.some(({ text }) => hasWord(text, what));
}

function hasWord(text: string, word: string): boolean {
  const escaped = word.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(^|[^A-Za-z0-9-])${escaped}($|[^A-Za-z0-9-])`).test(text);
}
