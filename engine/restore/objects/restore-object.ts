import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import {
  type KubernetesObject,
  type ObjectMeta,
  type ResourceType,
  resourceName,
} from "../../kubernetes/kubernetes-object.ts";
import type { ChangedByCluster } from "./changed-by-cluster.ts";
import { digestOf, statusDigest } from "../compare/comparison.ts";
import { appliersOf, restoreFieldOwners } from "../compare/field-owners.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import { keepsStatus, type LiveObject, ownerUids } from "../compare/live-objects.ts";
import { ObjectRestorer, refusalOf } from "./object-restorer.ts";
import type { OwnerLinks } from "./owner-links.ts";
import { isNotedMade, noteMade } from "../plan/resolving-scope.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import type { ServedType } from "../../kinds/served-types.ts";
import { wantedObject } from "../../kinds/wanted-object.ts";

export interface NamespacedRestore {
  readonly deps: Pick<JobDeps, "cluster" | "limits" | "restore">;
  readonly context: JobContext;
  readonly source: RestoreSource;
  readonly discovery: Discovery;
  readonly links: OwnerLinks;
}

/** The outcome for an object, or the cluster's refusal. */
export type Outcome = "left" | "written" | { readonly refusal: string };

export interface HowToRestore {
  /** The live object of its name. */
  readonly live: LiveObject | undefined;
  /** Whether it is made as it runs. */
  readonly started: boolean;
  readonly changed: ChangedByCluster;
}

/** Notes an object that is as it was saved in every byte, and stays where it is. */
export function leaveUntouched({ links }: NamespacedRestore, type: ServedType, metadata: ObjectMeta): void {
  links.restored(metadata.uid, metadata.uid);
  links.left(type, { metadata }, ownerUids(metadata.ownerReferences ?? []));
}

/** Restores one object as it was saved. A refusal by the cluster is returned, not thrown. */
export async function restoreObject(
  restore: NamespacedRestore,
  type: ServedType,
  archived: KubernetesObject,
  { live, started, changed }: HowToRestore,
): Promise<Outcome> {
  const { deps, context, source, links } = restore;
  const { cluster } = deps;
  const { signal, warn, info } = context;
  const { finalizerTimeout } = deps.limits;
  const { namespace = "", name } = archived.metadata;
  const rules = rulesOf(type);
  const isOnlyAdded = source.scope.liveReachOf(type, archived.metadata) === "if missing";
  try {
    if (isOnlyAdded && live && !isNotedMade(context, type, namespace, name))
      return leave(restore, type, archived, live.uid);
    if (live && !live.isTerminating && live.digest === digestOf(type, archived)) {
      links.restored(archived.metadata.uid, live.uid);
      links.left(type, archived, live.owners);
      if (await rules.whenLeft?.({ cluster, type, archived, signal }))
        await restoreFieldOwners(cluster, type, archived, signal);
      const isStatusSame = !keepsStatus(type) || live.statusDigest === statusDigest(archived);
      if (isStatusSame && live.appliers === appliersOf(archived)) return "left";
      if (!isStatusSame) await restoreStatus(cluster, type, archived, signal);
      await restoreFieldOwners(cluster, type, archived, signal);
      return "written";
    }
    if (rules.isOver?.(archived)) {
      info(`pod ${namespace}/${name} had finished and is not run again`);
      return "left";
    }
    const object = wantedObject(type, archived, { started });
    const owners = links.ownersFor(type, archived);
    if (owners.length > 0) object.metadata.ownerReferences = [...owners];
    const isPartial = source.scope.wholeNamespaces.length === 0;
    const restorer = new ObjectRestorer({ cluster, signal, warn, info, finalizerTimeout, isPartial });
    const isAdded = isOnlyAdded && !live;
    if (isAdded) noteMade(context, type, namespace, name);
    const made = await (isAdded ? restorer.add(type, object) : restorer.restore(type, object, live));
    if (!made) {
      noteMade(context, type, namespace, name, false);
      const there = await cluster.get(type, namespace, name, signal);
      return leave(restore, type, archived, there?.metadata.uid);
    }
    const { metadata } = made;
    changed.look(type, object, made);
    links.restored(archived.metadata.uid, metadata.uid);
    await rules.whenMade?.({ cluster, type, archived, signal });
    const isWanted = type.hasStatus && deps.restore.statusOf.includes(resourceName(type));
    if (isWanted || (live !== undefined && metadata.uid === live.uid && keepsStatus(type)))
      await restoreStatus(cluster, type, archived, signal);
    await restoreFieldOwners(cluster, type, archived, signal);
    return "written";
  } catch (error) {
    return { refusal: refusalOf(error) };
  }
}

/** Leaves what somebody else has made of an object that a restore would only add. */
function leave(
  { context, links }: NamespacedRestore,
  type: ServedType,
  archived: KubernetesObject,
  uid: string | undefined,
): Outcome {
  const { namespace = "", name, uid: saved } = archived.metadata;
  links.restored(saved, uid);
  context.info(`${type.kind} ${namespace}/${name} is there by now, and is left as it is`);
  return "left";
}

/** Puts back a status that a controller would not find out again, or that records something no longer there. */
async function restoreStatus(
  cluster: JobDeps["cluster"],
  type: ResourceType,
  { status = null, metadata }: KubernetesObject,
  signal: AbortSignal,
): Promise<void> {
  await cluster.patch(type, metadata.namespace ?? "", metadata.name, { status }, signal, "status");
}
