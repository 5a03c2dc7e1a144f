import type { ClaimVolumes } from "../simulator/volumes/claim-volumes.ts";
import type { KubernetesClient, KubernetesObject } from "./kubernetes-client.ts";

/** A control plane at one moment: its objects by a name that survives a restore, and its volumes' files. */
export interface Picture {
  readonly objects: ReadonlyMap<string, KubernetesObject>;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** How much of a control plane is there. */
export interface Counts {
  readonly objects: number;
  readonly volumes: number;
  readonly pods: number;
}

/** Kinds whose objects the cluster makes or changes by itself, or that are the backup itself. */
const passing = new Set([
  "ControllerRevision",
  "Event",
  "Lease",
  "Node",
  "Pod",
  "ReplicaSet",
  "VolumeSnapshot",
  "VolumeSnapshotContent",
]);

/** Every object of the namespaces and every cluster-scoped one, with the files on the namespaces' volumes. */
export async function takePicture(
  client: KubernetesClient,
  volumes: ClaimVolumes,
  namespaces: readonly string[],
): Promise<Picture> {
  const all = await client.listAll();
  const living = new Set(all.map(({ metadata }) => metadata.uid));
  const objects = all.filter((object) => isLasting(object, namespaces)).map((object) => withLinks(object, living));
  const claims = objects.filter(({ kind }) => kind === "PersistentVolumeClaim");
  const files = claims.flatMap(({ metadata: { namespace = "", name } }) =>
    volumes
      .list(namespace, name)
      .map((path) => [`${namespace}/${name}: ${path}`, volumes.read(namespace, name, path)] as const),
  );
  return { objects: named(objects), files: new Map(files) };
}

/** The objects by their names; of two with one name (a claim's old volume beside its new one) both are kept. */
function named(objects: readonly KubernetesObject[]): ReadonlyMap<string, KubernetesObject> {
  const byName = new Map<string, KubernetesObject>();
  for (const object of objects) {
    const name = lastingName(object);
    byName.set(byName.has(name) ? `${name} (${object.metadata.name})` : name, object);
  }
  return byName;
}

/** Counts what is there now: those of the picture's objects that are, whatever has become of them, bound claims, running pods. */
export async function count(
  client: KubernetesClient,
  namespaces: readonly string[],
  { objects }: Picture,
): Promise<Counts> {
  const all = await client.listAll();
  const phases = (kind: string, phase: string) =>
    all.filter(
      (object) =>
        object.kind === kind &&
        namespaces.includes(object.metadata.namespace ?? "") &&
        (object["status"] as { phase?: string } | undefined)?.phase === phase,
    ).length;
  return {
    objects: new Set(all.map(lastingName)).intersection(new Set(objects.keys())).size,
    volumes: phases("PersistentVolumeClaim", "Bound"),
    pods: phases("Pod", "Running"),
  };
}

function isLasting({ kind, metadata }: KubernetesObject, namespaces: readonly string[]): boolean {
  if (passing.has(kind) || metadata.name === "kube-root-ca.crt") return false;
  if (kind === "Namespace") return namespaces.includes(metadata.name);
  return metadata.namespace === undefined || namespaces.includes(metadata.namespace);
}

/** A new volume has another name: it is known by its claim. */
function lastingName({ kind, metadata, spec }: KubernetesObject): string {
  const claim = (spec as { claimRef?: { namespace: string; name: string } } | undefined)?.claimRef;
  if (kind === "PersistentVolume" && claim) return `PersistentVolume of ${claim.namespace}/${claim.name}`;
  return metadata.namespace === undefined
    ? `${kind} ${metadata.name}`
    : `${kind} ${metadata.namespace}/${metadata.name}`;
}

/** The object with each owner's uid replaced by whether such an owner lives: uids do not survive a restore, links do. */
function withLinks(object: KubernetesObject, living: ReadonlySet<string>): KubernetesObject {
  const owners = object.metadata.ownerReferences;
  if (owners === undefined) return object;
  const ownerReferences = owners.map((owner) => ({ ...owner, uid: living.has(owner.uid) ? "living" : "gone" }));
  return { ...object, metadata: { ...object.metadata, ownerReferences } };
}
