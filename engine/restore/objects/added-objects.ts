import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import type { ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { isUsedOnlyBy } from "../../objects/cluster-scoped-users.ts";
import { refusalOf } from "./object-restorer.ts";
import { type RestoreSource, warnOtherwise } from "../source/restore-source.ts";

/** A cluster-scoped object that was not there before the restore. */
interface Added {
  readonly type: ResourceType;
  readonly name: string;
}

const addedNotes = "added/";

/** Notes a cluster-scoped object before it is created, so that a rollback knows what the restore has added. */
export function noteAdded(
  { notes }: JobContext,
  { notesPrefix }: RestoreSource,
  { apiVersion, kind, resource }: ResourceType,
  name: string,
): void {
  const added: Added = { type: { apiVersion, kind, resource, namespaced: false }, name };
  notes.set(`${notesPrefix}${addedNotes}${resource}.${apiVersion}/${name}`, added);
}

/**
 * Deletes the objects that the restore has created from its backup. One that others have come to use meanwhile stays, with a warning, and so does
 * a namespace, which would take with it whatever they have put there: then not all is as it was. May run again.
 */
export async function removeAdded(
  source: RestoreSource,
  { cluster }: Pick<JobDeps, "cluster">,
  context: JobContext,
): Promise<void> {
  const { notes, signal, info } = context;
  const namespaces = new Set(source.targetNamespaces);
  for (const [, { type, name }] of notes.entries<Added>(addedNotes)) {
    const object = await cluster.get(type, "", name, signal);
    if (!object) continue;
    const stays = (why: string) =>
      warnOtherwise(
        context,
        source,
        "DRS-R088",
        "",
        `${type.kind} ${name} was created by the restore and stays: ${why}`,
      );
    const { staysWhenAdded } = rulesOf(type);
    if (staysWhenAdded !== undefined) {
      stays(staysWhenAdded);
      continue;
    }
    if (!(await isUsedOnlyBy(namespaces, cluster, type, object, signal))) {
      stays("others outside these namespaces may use it");
      continue;
    }
    try {
      await cluster.delete(type, "", name, signal);
      info(`removed ${type.kind} ${name}, which was not there before`);
    } catch (error) {
      stays(refusalOf(error));
    }
  }
}
