import { isBuiltInGroup } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { hasStatus, isUnconverted } from "../../kubernetes/kubernetes-error.ts";
import { groupOf, type KubernetesObject, type ObjectMeta } from "../../kubernetes/kubernetes-object.ts";
import { RawObject, shortDigest } from "../../kubernetes/raw-object.ts";
import { unreadable } from "../../objects/namespace-saver.ts";
import { appliersOf } from "./field-owners.ts";
import { digestOf, statusDigest } from "./comparison.ts";
import type { ServedType } from "../../kinds/served-types.ts";

/** The data kept of a live object, to compare it with the saved one of its name: no more of a namespace is in memory. */
export interface LiveObject {
  readonly digest: string;
  /** The status of kinds that keep it; otherwise empty. */
  readonly statusDigest: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** The uids of its owners, sorted, in one text. */
  readonly owners: string;
  /** Its server-side appliers, likewise. */
  readonly appliers: string;
  readonly isTerminating: boolean;
}

export interface LiveObjects {
  /** Those that are as they were saved in every byte: by name what `versionOf` says of them. */
  readonly untouched: ReadonlyMap<string, string>;
  /** The others, by name. */
  readonly others: ReadonlyMap<string, LiveObject>;
}

export interface MutableLiveObjects extends LiveObjects {
  readonly untouched: Map<string, string>;
  readonly others: Map<string, LiveObject>;
}

/** Identifies a state of an object: two of one name with the same are the same object, unchanged meanwhile. */
export function versionOf({ uid = "", resourceVersion = "" }: Pick<ObjectMeta, "uid" | "resourceVersion">): string {
  return shortDigest(`${uid} ${resourceVersion}`);
}

/** Called with the metadata of each object that is as it was saved in every byte, maybe more than once. */
export type OnUntouched = (metadata: ObjectMeta) => void;

/** Whether an object is as it was saved in every byte, and stays. `saved`: the digests of the archived ones. */
export function isUntouched(raw: RawObject, saved: ReadonlySet<string>): boolean {
  return raw.metadata.deletionTimestamp === undefined && saved.has(raw.digest);
}

/** Adds an object as the API server gives it, and returns which of the two it is. `saved`: the digests of the archived ones. */
export function addLive(
  { untouched, others }: MutableLiveObjects,
  type: ServedType,
  raw: RawObject,
  saved: ReadonlySet<string>,
  onUntouched: OnUntouched = () => {},
): "untouched" | "other" {
  const { metadata } = raw;
  if (isUntouched(raw, saved)) {
    untouched.set(metadata.name, versionOf(metadata));
    onUntouched(metadata);
    return "untouched";
  }
  others.set(metadata.name, liveObject(type, raw.object));
  return "other";
}

/**
 * The objects of a kind in a namespace, by one list; none where the namespace or the kind is not there. `saved`: the digests
 * of the archived ones. FAILED_PRECONDITION when what converts the objects does not answer.
 */
export async function liveObjects(
  cluster: Cluster,
  type: ServedType,
  namespace: string,
  saved: ReadonlySet<string>,
  signal: AbortSignal,
  onUntouched?: OnUntouched,
): Promise<LiveObjects> {
  const live: MutableLiveObjects = { untouched: new Map(), others: new Map() };
  for await (const raw of listedObjects(cluster, type, namespace, signal)) addLive(live, type, raw, saved, onUntouched);
  return live;
}

/** The objects of such a list as they come, each a view of more bytes. Errors as for `liveObjects`. */
export async function* listedObjects(
  cluster: Cluster,
  type: ServedType,
  namespace: string,
  signal: AbortSignal,
): AsyncGenerator<RawObject> {
  try {
    for await (const items of cluster.listRaw(type, namespace, signal))
      for (const item of items) yield new RawObject(item);
  } catch (error) {
    if (isUnconverted(error)) throw unreadable(type, namespace, error);
    if (!hasStatus(error, 404, 405)) throw error; // a kind that has gone since discovery
  }
}

export function liveObject(type: ServedType, object: KubernetesObject): LiveObject {
  const { uid = "", resourceVersion = "", ownerReferences = [], deletionTimestamp } = object.metadata;
  return {
    digest: digestOf(type, object),
    statusDigest: keepsStatus(type) ? statusDigest(object) : "",
    uid,
    resourceVersion,
    owners: ownerUids(ownerReferences),
    appliers: appliersOf(object),
    isTerminating: deletionTimestamp !== undefined,
  };
}

/** The uids of owners in one text, to be compared. */
export function ownerUids(owners: readonly { readonly uid: string }[]): string {
  return owners
    .map(({ uid }) => uid)
    .sort()
    .join();
}

/**
 * Whether the status of an object that stays is put back as it was saved: a custom resource's records what its controller
 * has done, to data that is now that of the backup. Kubernetes' own controllers find theirs out again.
 */
export function keepsStatus({ apiVersion, hasStatus }: ServedType): boolean {
  return hasStatus && !isBuiltInGroup(groupOf(apiVersion));
}
