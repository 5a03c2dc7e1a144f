import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { DiscoveredResource, Discovery } from "../../kubernetes/discovery.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import { resourceName } from "../../kubernetes/kubernetes-object.ts";
import { occupiedKinds } from "../../objects/occupied-kinds.ts";
import { clearedKinds } from "./cleared-kinds.ts";
import { type Deleted, waitForDeleted } from "./deleted-objects.ts";
import { secretsOfRetainedVolumes } from "../claims/retained-volumes.ts";
import { listed } from "../../objects/listed.ts";
import { refusalOf } from "../objects/object-restorer.ts";
import { failWhenTooMany, reportAbandoned } from "../objects/refused-objects.ts";
import { savedForSafety } from "../source/restore-checkpoints.ts";
import { deletionWaves } from "../../kinds/restore-order.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import { savedNames } from "../source/saved-names.ts";
import { unsavedObjects } from "../source/unsaved-objects.ts";

/**
 * Deletes objects that are in the namespaces and not in the source, except claims, users' own snapshots and the Secrets that
 * retained volumes need, dependents first. Objects in the source stay where they are, to be compared with it. Objects that were being deleted
 * before are left to the holders of their finalizers, and kinds whose objects could not be read when the source was made are left alone.
 * An object held for too long by a finalizer, as its controller is stopped, loses its finalizers, with a warning that names them; all
 * held objects are waited for together. May run again.
 */
export async function deleteObjects(
  source: RestoreSource,
  deps: JobDeps,
  context: JobContext,
  discovery: Discovery,
): Promise<void> {
  const { cluster, limits } = deps;
  const { signal } = context;
  const { targetNamespaces: namespaces } = source;
  const inFlight = limits.clusterConcurrency;
  const { unavailable } = source.isRollback ? { unavailable: [] } : savedForSafety.read(context); // else in its manifest
  const cleared = clearedKinds(source, discovery, unavailable);
  const kinds = await occupiedKinds(cluster, cleared, namespaces, inFlight, signal);
  const held: Deleted[] = [];
  for (const wave of deletionWaves(kinds)) {
    const deleted: Deleted[] = [];
    await forEachInFlight(wave, inFlight, async (type) => {
      const saved = await savedNames(source, type, signal);
      for (const namespace of namespaces) {
        const uids = await deleteUnsaved(source, deps, context, { type, namespace, saved: saved.get(namespace) });
        if (uids.size > 0) deleted.push({ type, namespace, uids });
      }
    });
    held.push(...(await waitForDeleted(deps, context, deleted, { untilHeld: true })));
  }
  await waitForDeleted(deps, context, held, { untilHeld: false });
  failWhenTooMany(deps, context, source);
}

interface Collection {
  readonly type: DiscoveredResource;
  readonly namespace: string;
  /** The names that stay. */
  readonly saved: ReadonlySet<string> | undefined;
}

/** Where it is noted which objects this restore has deleted that a finalizer may hold: others are somebody else's to end. */
const deletedNotes = "deleted/";

/** Asks for the deletion of a kind's objects that are not among the saved ones. Returns the uids of those to wait for. */
async function deleteUnsaved(
  source: RestoreSource,
  { cluster, limits }: JobDeps,
  context: JobContext,
  { type, namespace, saved }: Collection,
): Promise<ReadonlySet<string>> {
  const { signal, notes, info, warn } = context;
  const uids = new Set<string>();
  const names: string[] = [];
  const why = source.isRollback ? "was not there before" : "is not in the backup";
  const neededByVolumes = resourceName(type) === "secrets" ? secretsOfRetainedVolumes(context) : new Set();
  const unsaved = unsavedObjects(cluster, type, namespace, saved, signal);
  try {
    await forEachInFlight(unsaved, limits.clusterConcurrency, async (object) => {
      if (!source.scope.hasLive(type, { namespace, name: object.metadata.name })) return;
      const { name, uid = "", deletionTimestamp, finalizers = [] } = object.metadata;
      if (neededByVolumes.has(`${namespace}/${name}`)) {
        warn("DRS-R073", namespace, `Secret ${name} ${why}, and is left as it is: a retained volume needs it`);
        return;
      }
      const noted = `${deletedNotes}${uid}`;
      if (deletionTimestamp === undefined) {
        if (finalizers.length > 0) notes.set(noted, true);
        try {
          await cluster.delete(type, namespace, name, signal, { uid });
        } catch (error) {
          if (hasStatus(error, 404, 405)) throw error;
          const text = `${why} and stays, because it cannot be deleted: ${refusalOf(error)}`;
          reportAbandoned(context, source, { code: "DRS-R054", namespace, what: `${type.kind} ${name}`, text });
          return;
        }
        names.push(name);
      } else if (notes.get(noted) !== true) {
        info(`${type.kind} ${namespace}/${name} was already being deleted, and is left to its finalizers`);
        return;
      }
      uids.add(uid);
    });
  } catch (error) {
    if (!hasStatus(error, 404, 405)) throw error; // a kind that has gone with its definition, or that cannot be deleted
  }
  if (names.length > 0)
    info(`deleted ${names.length} ${resourceName(type)} of ${namespace}, each of which ${why}: ${listed(names)}`);
  return uids;
}
