import type { Cluster } from "../../kubernetes/cluster.ts";
import { isBuiltInGroup } from "../../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import { groupOf } from "../../kubernetes/kubernetes-object.ts";
import { RawObject } from "../../kubernetes/raw-object.ts";
import { addLive, liveObjects, type LiveObjects, type OnUntouched, versionOf } from "./live-objects.ts";
import type { MutableLiveObjects } from "./live-objects.ts";
import type { ServedType } from "../../kinds/served-types.ts";

/** Up to so many, or one in so many, objects are looked at one by one; more of them by a list of all. */
const fewObjects = 20;
const oneIn = 10;

export interface Collection {
  readonly cluster: Cluster;
  readonly type: ServedType;
  readonly namespace: string;
  /** The names and digests of the archived objects. */
  readonly names: ReadonlySet<string>;
  readonly digests: ReadonlySet<string>;
  readonly inFlight: number;
  readonly signal: AbortSignal;
}

/**
 * The objects of a kind in a namespace as far as they have names of saved ones. For those that are still in the state in which
 * they were `seen` the metadata alone is requested: an object's bytes do not change without its resourceVersion. Only of custom
 * resources they may, as another definition shows them otherwise. Errors as for `liveObjects`.
 */
export async function liveSince(
  collection: Collection,
  seen: LiveObjects | undefined,
  onUntouched: OnUntouched,
): Promise<LiveObjects> {
  const { cluster, type, namespace, names, digests, inFlight, signal } = collection;
  const all = () => liveObjects(cluster, type, namespace, digests, signal, onUntouched);
  if (seen === undefined || !isBuiltInGroup(groupOf(type.apiVersion))) return all();
  const live: MutableLiveObjects = { untouched: new Map(), others: new Map() };
  const changed: string[] = [];
  try {
    for await (const { metadata } of cluster.listMetadata(type, namespace, signal)) {
      const { name, deletionTimestamp } = metadata;
      if (!names.has(name)) continue;
      const version = versionOf(metadata);
      const other = seen.others.get(name);
      if (deletionTimestamp === undefined && seen.untouched.get(name) === version) {
        live.untouched.set(name, version);
        onUntouched(metadata);
      } else if (other && versionOf(other) === version) live.others.set(name, other);
      else changed.push(name);
    }
  } catch (error) {
    if (!hasStatus(error, 404, 405)) throw error; // a kind that has gone since discovery
  }
  if (changed.length > Math.max(fewObjects, names.size / oneIn)) return all();
  await forEachInFlight(changed, inFlight, async (name) => {
    const bytes = await cluster.getRaw(type, namespace, name, signal);
    if (bytes) addLive(live, type, new RawObject(bytes), digests, onUntouched);
  });
  return live;
}
