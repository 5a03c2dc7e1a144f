import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import {
  isSameLevel,
  laxerOf,
  levelInWords,
  podSecurityLabels,
  type PodSecurityLevel,
  podSecurityOf,
  withPodSecurity,
} from "../../kinds/core/pod-security.ts";
import { KubernetesError } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { restoreFieldOwners } from "../compare/field-owners.ts";
import { refusalOf } from "./object-restorer.ts";
import { reportAbandoned } from "./refused-objects.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";

/*
 * Pod Security judges pods when they are created, so those that run may be older than their namespace's label, and violate it.
 * A restore recreates them: while it runs, each namespace has the laxer of two levels, the saved one and the one
 * before the restore, and its own one comes in force when its pods run.
 */

interface Relaxed {
  readonly lax: PodSecurityLevel;
  /** The one that the namespace has in the end. */
  readonly final: PodSecurityLevel;
  /** The cluster refuses a level that allows everything: there is none meanwhile, and its default judges. */
  readonly isUnlabelled?: true;
}

const unlabelled: PodSecurityLevel = {};

const relaxedNotes = "pod-security/";

/**
 * Gives existing namespaces that come back as they were saved their laxer level. To be called before anything is
 * stopped, as it throws what the cluster has against it, and before the pods are created. May run again.
 */
export async function relaxPodSecurity(
  { cluster }: Pick<JobDeps, "cluster">,
  context: JobContext,
  source: RestoreSource,
): Promise<void> {
  const { signal, notes, info } = context;
  for await (const { type, object } of objectsOf(source, partsOf(source, ["namespaces"]), signal)) {
    const { name } = object.metadata;
    const live = await cluster.get(type, "", name, signal);
    if (!live || source.scope.liveReachOf(type, { name }) !== "as saved") continue;
    const before = podSecurityOf(live);
    const lax = podSecurityOf(underLaxerLevel(context, live, object));
    if (isSameLevel(before, lax)) continue;
    const give = (level: PodSecurityLevel) =>
      cluster.patch(type, "", name, { metadata: { labels: podSecurityLabels(level) } }, signal);
    let given = lax;
    try {
      try {
        await give(lax);
      } catch (error) {
        const isOneUnknown = (before.enforce === undefined) !== (podSecurityOf(object).enforce === undefined);
        if (!isRefusal(error) || !isOneUnknown) throw error;
        given = unlabelled;
        notes.set(noteOf(name), { lax: given, final: podSecurityOf(object), isUnlabelled: true } satisfies Relaxed);
        if (!isSameLevel(before, given)) await give(given);
      }
    } catch (error) {
      // It is not in force, and the rollback would be refused it, too.
      if (isRefusal(error)) notes.clear(noteOf(name));
      throw error;
    }
    if (isSameLevel(before, given)) continue;
    info(
      `namespace ${name} has Pod Security level ${levelInWords(given)} from here on, in place of ${levelInWords(before)}`,
    );
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof KubernetesError && error.code !== "UNAVAILABLE";
}

/**
 * Creates an archived namespace under its laxer level, or under its own where the cluster refuses it the laxer one. The errors
 * are those of `create`.
 */
export async function createUnderLaxerLevel(
  context: Pick<JobContext, "notes" | "info">,
  archived: KubernetesObject,
  create: (namespace: KubernetesObject) => Promise<unknown>,
): Promise<void> {
  const relaxed = underLaxerLevel(context, undefined, archived);
  try {
    await create(relaxed);
  } catch (error) {
    if (relaxed === archived || !(error instanceof KubernetesError) || !isRefusal(error)) throw error;
    const final = podSecurityOf(archived);
    const { name } = archived.metadata;
    context.notes.set(noteOf(name), { lax: final, final } satisfies Relaxed); // before: a run after a death would give it the laxer one
    await create(archived);
    const [own, laxer] = [final, podSecurityOf(relaxed)].map(levelInWords);
    context.info(`namespace ${name} has Pod Security level ${own} at once, as ${laxer} is refused: ${error.message}`);
  }
}

/** An archived namespace as it is while the restore runs: with its laxer level, which is noted. */
export function underLaxerLevel(
  { notes }: Pick<JobContext, "notes">,
  live: KubernetesObject | undefined,
  archived: KubernetesObject,
): KubernetesObject {
  const key = noteOf(archived.metadata.name);
  const final = podSecurityOf(archived);
  const earlier = notes.get<Relaxed>(key);
  const noted = earlier?.lax ?? final; // in the rollback, the laxer one in the restore
  const relaxed: Relaxed =
    earlier?.isUnlabelled === true
      ? { ...earlier, final }
      : { lax: laxerOf(noted, laxerOf(podSecurityOf(live), final)), final };
  notes.set(key, relaxed);
  return isSameLevel(relaxed.lax, final) ? archived : withPodSecurity(archived, relaxed.lax);
}

/**
 * Puts the levels in force that the source has, where they are stricter; all pods run by then. A refusal by the cluster
 * is an error that names the namespace. Returns the namespaces, as archived, whose pods were created under a laxer level. May run again.
 */
export async function enforcePodSecurity(
  source: RestoreSource,
  { cluster }: Pick<JobDeps, "cluster">,
  context: JobContext,
): Promise<readonly KubernetesObject[]> {
  const { signal, notes, info } = context;
  const enforced: KubernetesObject[] = [];
  for await (const { type, object } of objectsOf(source, partsOf(source, ["namespaces"]), signal)) {
    const { name } = object.metadata;
    const noted = notes.get<Relaxed>(noteOf(name));
    const live = await cluster.get(type, "", name, signal);
    if (!noted || !live || isSameLevel(noted.lax, noted.final)) continue;
    try {
      const metadata = { labels: podSecurityLabels(noted.final) };
      if (!isSameLevel(podSecurityOf(live), noted.final)) await cluster.patch(type, "", name, { metadata }, signal);
      await restoreFieldOwners(cluster, type, object, signal);
      enforced.push(object);
      info(`namespace ${name} has Pod Security level ${levelInWords(noted.final)} again`);
    } catch (error) {
      const [is, was] = [podSecurityOf(live), noted.final].map(levelInWords);
      const text = `has Pod Security level ${is} in place of ${was}: ${refusalOf(error)}`;
      reportAbandoned(context, source, { code: "DRS-R089", what: `Namespace ${name}`, text });
    }
  }
  return enforced;
}

/** Forgets which namespaces are relaxed: they are not any more, or an error has named them. */
export function forgetRelaxed({ notes }: Pick<JobContext, "notes">): void {
  notes.clear(relaxedNotes);
}

/** The namespaces that may be under a laxer level still, each with its own one: `cdp (baseline)`. */
export function relaxedNamespaces({ notes }: Pick<JobContext, "notes">): readonly string[] {
  return [...notes.entries<Relaxed>(relaxedNotes)].flatMap(([key, { lax, final }]) =>
    isSameLevel(lax, final) ? [] : [`${key.slice(relaxedNotes.length, -1)} (${levelInWords(final)})`],
  );
}

/** Ends in a slash, or to clear it would clear those of longer names too. */
function noteOf(namespace: string): string {
  return `${relaxedNotes}${namespace}/`;
}
