import type { ArchiveReader } from "../../archive/archive-reader.ts";
import { Checkpoint } from "../../jobs/checkpoint.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import { groupOf, type OwnerReference, type ResourceType } from "../../kubernetes/kubernetes-object.ts";
import type { RestorePlan } from "../../model.ts";
import { namespaces as namespaceType } from "../../objects/entities.ts";
import type { ScopedArchive } from "../source/restore-source.ts";
import { isLeftOut } from "./left-out.ts";
import { LiveNames } from "./live-names.ts";
import { objectKey, type Reach, Scope } from "../source/scope.ts";
import type { Selected } from "./selected-objects.ts";

/** Written when PRE_VALIDATION has listed what the restore may touch, in notes: the rollback follows them, too. */
const listing = new Checkpoint<{ readonly isOfObjects: boolean }>("PRE_VALIDATION", "scope");
const scopeNotes = "scope/";
/** Noted before an object is created that may not be touched where it is there already. */
const madeNotes = "made/";

/** Whether a plan takes all of a backup, to be as it was saved: then nothing has to be listed. */
export function isWhole({ selection, mode }: RestorePlan): boolean {
  return selection.what === "all" && mode === "replace";
}

/**
 * Lists the objects that a restore may touch, and notes them: all selected ones, or with `add` those missing now; of their needs
 * those missing now, or with all of a namespace all. A later run of PRE_VALIDATION lists them again.
 */
export async function resolveScope(
  archive: ScopedArchive,
  plan: RestorePlan,
  { asked, needed }: Selected,
  { cluster, discovery }: { readonly cluster: Cluster; readonly discovery: Discovery },
  context: JobContext,
): Promise<Scope> {
  const isScratch = plan.mode === "scratch";
  const isOfObjects = plan.mode === "add" || plan.selection.what === "objects";
  const reaches = new Map<string, Reach>();
  if (isScratch) {
    const namespaces = archive.scope.savedNamespaces.map((name) => objectKey(namespaceType, "", name));
    if (isOfObjects) for (const key of [...asked, ...needed, ...namespaces]) reaches.set(key, "as saved");
  } else if (isOfObjects) {
    const live = new LiveNames(archive, cluster, discovery, context.signal);
    const ifMissing = [...needed, ...archive.scope.savedNamespaces.map((name) => objectKey(namespaceType, "", name))];
    for (const key of [...(plan.mode === "add" ? asked : []), ...ifMissing])
      if (!(await live.has(key))) reaches.set(key, "if missing");
    if (plan.mode === "replace") for (const key of asked) reaches.set(key, "as saved");
  } else for (const key of needed) reaches.set(key, "as saved");
  context.notes.clear(scopeNotes);
  context.notes.setAll([...reaches].map(([key, reach]) => [scopeNotes + key, reach]));
  listing.write(context, { isOfObjects });
  return scopeOf(archive.reader, plan, reaches, isOfObjects);
}

/** The scope that PRE_VALIDATION has noted. MissingCheckpointError when it has not. */
export function notedScope(reader: ArchiveReader, plan: RestorePlan, context: JobContext): Scope {
  if (isWhole(plan)) return Scope.of(reader.manifest.includedNamespaces, plan);
  const { isOfObjects } = listing.read(context);
  const noted = context.notes.entries<Reach>(scopeNotes);
  const reaches = new Map([...noted].map(([key, reach]) => [key.slice(scopeNotes.length), reach]));
  return scopeOf(reader, plan, reaches, isOfObjects);
}

function scopeOf(
  { parts, manifest }: ArchiveReader,
  plan: RestorePlan,
  reaches: ReadonlyMap<string, Reach>,
  isOfObjects: boolean,
): Scope {
  const namespaced = new Set(parts.filter((part) => part.namespaced).map(kindOf));
  return Scope.of(manifest.includedNamespaces, plan, {
    ...partsOf(reaches, isOfObjects),
    ...(plan.mode === "scratch" && {
      clusterScoped: new Map(),
      copies: { leaves: isLeftOut, keepsOwner: (owner: OwnerReference) => namespaced.has(kindOf(owner)) },
    }),
  });
}

/** A kind as owner references name it, across its versions. */
function kindOf({ apiVersion, kind }: Pick<OwnerReference, "apiVersion" | "kind">): string {
  return `${kind}.${groupOf(apiVersion)}`;
}

/** The part of a safety archive's namespaces that the restore has touched: all objects that it listed, except those it has not created. */
export function rollbackScope(namespaces: readonly string[], context: JobContext): Scope {
  const targets = new Map(namespaces.map((name) => [name, name]));
  if (listing.find(context)?.isOfObjects !== true) return new Scope(targets);
  const reaches = new Map<string, Reach>();
  for (const [key, reach] of context.notes.entries<Reach>(scopeNotes)) {
    const name = key.slice(scopeNotes.length);
    if (reach === "as saved" || isClaim(name) || context.notes.get(madeNotes + name) === true)
      reaches.set(name, "as saved");
  }
  return new Scope(targets, partsOf(reaches, true));
}

/** Whether the restore has created a claim is known otherwise. */
function isClaim(key: string): boolean {
  return key.startsWith("persistentvolumeclaims/");
}

function partsOf(reaches: ReadonlyMap<string, Reach>, isOfObjects: boolean) {
  return { clusterScoped: reaches, ...(isOfObjects && { namespaced: reaches }) };
}

/** Notes that an object is about to be created; `isMade` false takes it back, as somebody else has made it. */
export function noteMade(
  { notes }: Pick<JobContext, "notes">,
  type: ResourceType,
  namespace: string,
  name: string,
  isMade = true,
): void {
  notes.set(madeNotes + objectKey(type, namespace, name), isMade);
}

/** Whether the restore has made an object, or was about to. */
export function isNotedMade(
  { notes }: Pick<JobContext, "notes">,
  type: ResourceType,
  namespace: string,
  name: string,
): boolean {
  return notes.get(madeNotes + objectKey(type, namespace, name)) === true;
}
