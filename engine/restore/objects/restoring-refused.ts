import type { JobContext } from "../../jobs/phase.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { ChangedByCluster } from "./changed-by-cluster.ts";
import { liveObject } from "../compare/live-objects.ts";
import { nameOf } from "../../objects/object-names.ts";
import { failWhenTooMany, refusedNotes, reportAbandoned } from "./refused-objects.ts";
import { type NamespacedRestore, restoreObject } from "./restore-object.ts";
import { objectsOf, type RestoreSource } from "../source/restore-source.ts";
import { type ServedType, servedType } from "../../kinds/served-types.ts";

/**
 * Retries the refused objects: a webhook, or a converter between versions, may be up by now.
 * Returns the names of those still refused. In a restore they are errors that name them, and FAILED_PRECONDITION
 * is thrown as `failWhenTooMany` says; in its rollback they stay noted, to be tried again.
 */
export async function restoreRefused(restore: NamespacedRestore): Promise<ReadonlySet<string>> {
  const { deps, context, source, discovery } = restore;
  const { notes, signal } = context;
  const stillRefused = new Set<string>();
  const changed = new ChangedByCluster();
  for (const part of source.reader.parts) {
    const type = servedType(discovery, part);
    const refused = refusedNames(context, source, part);
    if (refused.size === 0 || !type) continue;
    await forEachInFlight(objectsOf(source, [part], signal), deps.limits.clusterConcurrency, async ({ object }) => {
      const { namespace = "", name } = object.metadata;
      if (!refused.has(`${namespace}/${name}`)) return;
      const key = refusedKey(source, part, object);
      const known = nameOf(namespace, type, name);
      const existing = await deps.cluster.get(type, namespace, name, signal);
      const live = existing && liveObject(type, existing);
      const outcome = await restoreObject(restore, type, object, { live, started: true, changed });
      if (outcome === "left" || outcome === "written") {
        notes.clear(key);
        return;
      }
      stillRefused.add(known);
      if (source.isRollback) {
        notes.set(key, `${known}: ${outcome.refusal}`);
        return;
      }
      const what = `${type.kind} ${name}`;
      const stays = existing ? "is not as saved, and stays as it is" : "was not restored";
      reportAbandoned(context, source, {
        code: existing ? "DRS-R053" : "DRS-R003",
        namespace,
        what,
        text: `${stays}: ${outcome.refusal}`,
      });
      notes.clear(key);
      failWhenTooMany(deps, context, source);
    });
  }
  changed.report(context, source);
  return stillRefused;
}

/**
 * Makes a workload as it runs that was refused without replicas: some policies take none without. Returns whether it is there
 * then; one that is still refused stays noted for `restoreRefused`.
 */
export async function makeRunning(
  restore: NamespacedRestore,
  type: ServedType,
  archived: KubernetesObject,
): Promise<boolean> {
  const { context, source } = restore;
  const { namespace = "", name } = archived.metadata;
  if (!refusedNames(context, source, type).has(`${namespace}/${name}`)) return false;
  const changed = new ChangedByCluster();
  const outcome = await restoreObject(restore, type, archived, { live: undefined, started: true, changed });
  changed.report(context, source);
  const isThere = outcome === "left" || outcome === "written";
  if (isThere) context.notes.clear(refusedKey(source, type, archived));
  return isThere;
}

/** The refused objects of a kind that are to be tried again, as `namespace/name`. */
export function refusedNames({ notes }: JobContext, source: RestoreSource, type: ResourceType): ReadonlySet<string> {
  const prefix = refusedKey(source, type);
  return new Set([...notes.entries(prefix)].map(([key]) => key.slice(prefix.length, -1)));
}

/** Where it is noted that an object, or any of its kind, was refused. */
export function refusedKey({ notesPrefix }: RestoreSource, type: ResourceType, object?: KubernetesObject): string {
  const kind = `${notesPrefix}${refusedNotes}${resourceName(type)}/`;
  return object === undefined ? kind : `${kind}${object.metadata.namespace ?? ""}/${object.metadata.name}/`;
}
