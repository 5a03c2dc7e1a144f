import type { SavedVolume } from "../../archive/format.ts";
import { secrets, storageClasses } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { lacksRights } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { type SecretPlace, secretsForClaim } from "../../volumes/class-secrets.ts";
import { type ClusterNodes, clusterNodes, hasNodeFor, nodesForVolume } from "../../volumes/nodes-for-volume.ts";
import { classFor } from "../../volumes/saved-data.ts";
import { existingClasses } from "../../volumes/storage-classes.ts";
import { digestOf } from "../compare/comparison.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";

/** The present and former means of creating volumes. */
export interface PlaceSurvey {
  readonly classes: readonly KubernetesObject[];
  readonly savedClasses: readonly KubernetesObject[];
  readonly formerVolumes: ReadonlyMap<string, KubernetesObject>;
  readonly nodes: ClusterNodes;
}

/** Where a volume can be made before its pod is there. */
export interface Place {
  readonly storageClass: KubernetesObject;
  /** Where the class waits for a pod: the nodes that may be selected in its stead, the best first. */
  readonly nodes?: readonly string[];
}

export interface PlaceQuestion {
  readonly volume: SavedVolume;
  readonly saved: KubernetesObject;
  /** The claim that would be made now. */
  readonly claim: KubernetesObject;
}

export async function surveyPlaces(
  source: RestoreSource,
  cluster: Cluster,
  volumes: readonly SavedVolume[],
  signal: AbortSignal,
): Promise<PlaceSurvey> {
  const savedClasses: KubernetesObject[] = [];
  for await (const { object } of objectsOf(source, partsOf(source, ["storageclasses.storage.k8s.io"]), signal))
    savedClasses.push(object);
  const names = new Set(volumes.map(({ persistentVolume }) => persistentVolume));
  const formerVolumes = new Map<string, KubernetesObject>();
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumes"]), signal))
    if (names.has(object.metadata.name)) formerVolumes.set(object.metadata.name, object);
  const classes = await existingClasses(cluster, signal);
  return { classes, savedClasses, formerVolumes, nodes: await clusterNodes(cluster, signal) };
}

/**
 * Where a volume can be made now that is just such a one as the saved claim would get later: in its class, which is as it was
 * saved, with the same Secrets, and where its pods can run. Returns the reason where it cannot.
 */
export async function placeFor(
  { classes, savedClasses, formerVolumes, nodes }: PlaceSurvey,
  cluster: Cluster,
  { volume, saved, claim }: PlaceQuestion,
  signal: AbortSignal,
): Promise<Place | { readonly reason: string }> {
  const isThereOfName = (name: string) => classes.some(({ metadata }) => metadata.name === name);
  // A volume that was made by hand is in no class of its own: it gets the default one.
  if (volume.copy && volume.storageClass !== "" && !isThereOfName(volume.storageClass))
    return {
      reason: `there is no storage class ${volume.storageClass}: create one of this name, of any driver, or name another one with --storage-class-map`,
    };
  const storageClass = classFor(volume, classes);
  const name = classFor(volume, [...classes, ...savedClasses])?.metadata.name;
  if (!storageClass || storageClass.metadata.name !== name)
    return { reason: `storage class ${name ?? volume.storageClass} comes with the restore` };
  const savedClass = savedClasses.find(({ metadata }) => metadata.name === name);
  if (savedClass && !volume.copy && !makesTheSame(storageClass, savedClass))
    return { reason: `storage class ${name} is not as it was saved` };
  const needed = secretsForClaim(storageClass, saved);
  if (inWords(needed) !== inWords(secretsForClaim(storageClass, claim)))
    return { reason: `storage class ${name} names Secrets after the claim` };
  for (const { namespace, name: secret } of needed)
    if (!(await isThere(cluster, namespace, secret, signal)))
      return { reason: `Secret ${namespace}/${secret}, which storage class ${name} names, comes with the restore` };
  if (storageClass["volumeBindingMode"] !== "WaitForFirstConsumer") return { storageClass };
  const formerVolume = formerVolumes.get(volume.persistentVolume);
  const driver = String(storageClass["provisioner"]);
  // Data of a copy may be on any node; where the former volume could be used comes first.
  const isKnown = volume.copy !== undefined || (formerVolume !== undefined && hasNodeFor(nodes, formerVolume));
  const candidates = isKnown ? nodesForVolume(nodes, { driver, storageClass, formerVolume }) : [];
  if (candidates.length === 0) return { reason: `storage class ${name} makes volumes beside their pods` };
  return { storageClass, nodes: candidates };
}

function makesTheSame(one: KubernetesObject, other: KubernetesObject): boolean {
  const type = { ...storageClasses, hasStatus: false };
  const bare = ({ metadata: { name }, ...rest }: KubernetesObject) => digestOf(type, { ...rest, metadata: { name } });
  return bare(one) === bare(other);
}

function inWords(places: readonly SecretPlace[]): string {
  return places.map(({ namespace, name }) => `${namespace}/${name}`).join();
}

/** Of one that the service may not look at it is believed. */
async function isThere(cluster: Cluster, namespace: string, name: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await cluster.get(secrets, namespace, name, signal)) !== undefined;
  } catch (error) {
    if (!lacksRights(error)) throw error;
    return true;
  }
}
