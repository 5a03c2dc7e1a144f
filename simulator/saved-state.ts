import type { Cluster } from "./cluster.ts";
import { copyJson, parseJson, printJson } from "./objects/json.ts";
import type { KubernetesObject } from "./objects/kubernetes-object.ts";
import type { Files } from "./volumes/volume-data.ts";

type SavedFiles = Readonly<Record<string, string>>;

/** All that a simulated cluster holds: its objects with their uids, and what lies in its storage. */
interface SavedState {
  readonly objects: readonly KubernetesObject[];
  readonly volumes: Readonly<Record<string, SavedFiles>>;
  readonly snapshots: Readonly<Record<string, { readonly files: SavedFiles; takenAt: string; size: number }>>;
}

/** The cluster's state as JSON, numbers exact. */
export function saveState({ store, registry, data }: Cluster): string {
  const objects = registry.kinds().flatMap((resource) => [...store.list(resource)].map(copyJson));
  const volumes = Object.fromEntries([...data.volumes].map(([handle, files]) => [handle, saved(files)]));
  const snapshots = [...data.snapshots].map(
    ([handle, { files, takenAt, size }]) => [handle, { files: saved(files), takenAt, size }] as const,
  );
  return printJson({ objects, volumes, snapshots: Object.fromEntries(snapshots) });
}

/**
 * Puts a saved state into an empty cluster: as after a restart of its API server, controllers see every object again, and
 * resourceVersions are new. `settled` resolves when the definitions are served, which come first.
 */
export async function loadState(cluster: Cluster, json: string, settled: () => Promise<void>): Promise<void> {
  const { objects, volumes, snapshots } = parseJson(json) as SavedState;
  for (const [handle, files] of Object.entries(volumes)) cluster.data.volumes.set(handle, loaded(files));
  for (const [handle, { files, takenAt, size }] of Object.entries(snapshots))
    cluster.data.snapshots.set(handle, { files: loaded(files), takenAt: new Date(takenAt), size });
  putAll(cluster, objects.filter(isDefinition));
  await settled();
  putAll(
    cluster,
    objects.filter((object) => !isDefinition(object)),
  );
  await settled();
}

function isDefinition({ kind }: KubernetesObject): boolean {
  return kind === "CustomResourceDefinition";
}

function putAll({ store, registry }: Cluster, objects: readonly KubernetesObject[]): void {
  for (const object of objects) {
    const resource = registry.ofKind(object.apiVersion, object.kind);
    if (resource === undefined) throw new Error(`no kind ${object.apiVersion} ${object.kind}`);
    store.put(resource, object);
  }
}

function saved(files: ReadonlyMap<string, Buffer>): SavedFiles {
  return Object.fromEntries([...files].map(([path, bytes]) => [path, bytes.toString("base64")]));
}

function loaded(files: SavedFiles): Files {
  return new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text, "base64")]));
}
