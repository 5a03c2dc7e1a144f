import type { SavedVolume } from "../archive/format.ts";
import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import {
  type ClaimsRequest,
  createClaimFromSnapshot,
  removeImportedSnapshots,
  unboundClaims,
} from "../volumes/claims-from-snapshots.ts";
import { nameFor, persistentVolumeClaims, persistentVolumes } from "../volumes/snapshot-resources.ts";
import { restoreFieldOwners } from "./field-owners.ts";
import { refusalOf } from "./object-restorer.ts";
import type { OwnerLinks } from "./owner-links.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";
import { sanitize } from "./sanitize.ts";
import { classFor, existingClasses } from "./storage-classes.ts";
import { createClaimWithoutSnapshot } from "./unsaved-claims.ts";

/**
 * Makes every saved claim, those with a snapshot from it, all at once, and waits until they are bound; a claim whose
 * class waits for its first consumer binds when the applications start. May run again.
 */
export async function restoreClaims(
  parts: JobParts,
  context: JobContext,
  source: RestoreSource,
  links: OwnerLinks,
): Promise<void> {
  const { cluster, limits } = parts;
  const { signal } = context;
  const request = claimsRequest(parts, context);
  const volumes = volumesByClaim(source);
  const classes = await existingClasses(cluster, signal);
  const waiting = new Map<string, Set<string>>();
  const existing = await existingClaims(cluster, source, signal);
  const claims = objectsOf(source, partsOf(source, ["persistentvolumeclaims"]), signal);
  await forEachInFlight(claims, limits.clusterConcurrency, async ({ object }) => {
    const { namespace = "", name } = object.metadata;
    const volume = volumes.get(`${namespace}/${name}`);
    const claim = sanitize(persistentVolumeClaims, object);
    const owners = links.ownersFor(persistentVolumeClaims, object);
    if (owners.length > 0) claim.metadata.ownerReferences = [...owners];
    if (!volume) return createClaimWithoutSnapshot(cluster, context, source, object, claim);
    if (isBound(request, volume, existing)) {
      await restoreFieldOwners(cluster, persistentVolumeClaims, object, signal); // of an earlier run
      return undefined;
    }
    const storageClass = classFor(volume, classes);
    const className = storageClass?.metadata.name ?? volume.storageClass;
    if (className !== volume.storageClass)
      context.warn(
        namespace,
        `claim ${name} is in storage class ${className} now: ${volume.storageClass} makes no volumes of driver ${volume.driver}`,
      );
    claim["spec"] = { ...(claim["spec"] as object), storageClassName: className };
    await createClaimFromSnapshot(request, volume, claim);
    await restoreFieldOwners(cluster, persistentVolumeClaims, object, signal);
    if (storageClass?.["volumeBindingMode"] !== "WaitForFirstConsumer")
      waiting.set(namespace, (waiting.get(namespace) ?? new Set()).add(name));
    return undefined;
  });
  for (const [namespace, names] of waiting) {
    const late = await unboundClaims(request, namespace, names);
    if (late.length > 0)
      throw new DrsError(
        "FAILED_PRECONDITION",
        `claims of ${namespace} were not bound within ${limits.snapshotTimeout / 1000} s: ${late.join(", ")}; their events say what the CSI driver answers`,
      );
  }
  // Somebody may have been faster with a claim, which is not filled then.
  const made = await existingClaims(cluster, source, signal);
  for (const volume of volumes.values()) isBound(request, volume, made);
  if (volumes.size > 0) context.info(`restored ${volumes.size} claims from their snapshots`);
}

/**
 * Of every claim that is bound by now: gives its new volume the old one's policy, labels and annotations. Removes the snapshot
 * objects but those of claims that are yet to be filled; one that does not go is a warning that names it. May run again.
 */
export async function settleBoundClaims(parts: JobParts, context: JobContext, source: RestoreSource): Promise<void> {
  const { cluster, limits } = parts;
  const { signal } = context;
  const request = claimsRequest(parts, context);
  const existing = await existingClaims(cluster, source, signal);
  const volumes = [...volumesByClaim(source).values()];
  // An application that is up may have deleted its claim, or made another one of its name.
  const isOurs = (volume: SavedVolume) => isFilledBy(request, volume, existing.get(keyOf(volume)));
  const bound = volumes.filter((volume) => isOurs(volume) && isBound(request, volume, existing));
  const byVolume = new Map(bound.map((volume) => [volume.persistentVolume, volume]));
  const saved = objectsOf(source, partsOf(source, ["persistentvolumes"]), signal);
  await forEachInFlight(saved, limits.clusterConcurrency, async ({ object }) => {
    const volume = byVolume.get(object.metadata.name);
    const claim = volume && existing.get(keyOf(volume));
    const { volumeName } = (claim?.["spec"] ?? {}) as { volumeName?: string };
    if (volumeName !== undefined) await cluster.patch(persistentVolumes, "", volumeName, carriedOver(object), signal);
  });
  const used = volumes.filter((volume) => !isOurs(volume) || bound.includes(volume));
  try {
    await removeImportedSnapshots(request, used);
  } catch (error) {
    context.warn("", `${refusalOf(error)}; nothing needs it any more: delete it by hand`);
  }
}

/** Removes the snapshot objects of all claims, filled or not, when the restore has failed. May run again. */
export async function removeSnapshotObjects(parts: JobParts, context: JobContext): Promise<void> {
  await removeImportedSnapshots(claimsRequest(parts, context), context.notes.get<SavedVolume[]>("imported") ?? []);
}

const provisionersAnnotation = /^(pv|volume)(\.beta)?\.kubernetes\.io\//;

/** What a claim's volume keeps although it is another one now. */
function carriedOver({ metadata, ...volume }: KubernetesObject): object {
  const { persistentVolumeReclaimPolicy } = volume["spec"] as { persistentVolumeReclaimPolicy?: string };
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([name]) => !provisionersAnnotation.test(name));
  return {
    metadata: { labels: metadata.labels ?? {}, annotations: Object.fromEntries(annotations) },
    spec: { persistentVolumeReclaimPolicy },
  };
}

/** The claims that are in the namespaces now, by namespace and name. */
async function existingClaims(
  cluster: JobParts["cluster"],
  { namespaces }: RestoreSource,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, KubernetesObject>> {
  const found = new Map<string, KubernetesObject>();
  for (const namespace of namespaces)
    for await (const claim of cluster.list(persistentVolumeClaims, namespace, signal))
      found.set(`${namespace}/${claim.metadata.name}`, claim);
  return found;
}

/** Whether the claim is there and bound. FAILED_PRECONDITION when it is there and not this restore's. */
function isBound(request: ClaimsRequest, volume: SavedVolume, claims: ReadonlyMap<string, KubernetesObject>): boolean {
  const existing = claims.get(keyOf(volume));
  if (!existing) return false;
  if (!isFilledBy(request, volume, existing))
    throw new DrsError(
      "FAILED_PRECONDITION",
      `claim ${keyOf(volume)} was made by somebody else while this restore ran`,
    );
  return (existing["status"] as { phase?: string } | undefined)?.phase === "Bound";
}

/** Whether the claim is this restore's. */
function isFilledBy({ uuid }: ClaimsRequest, { namespace, claim }: SavedVolume, found?: KubernetesObject): boolean {
  const { dataSource } = (found?.["spec"] ?? {}) as { dataSource?: { name?: string } };
  return dataSource?.name === nameFor(uuid, namespace, claim);
}

function keyOf({ namespace, claim }: SavedVolume): string {
  return `${namespace}/${claim}`;
}

function volumesByClaim({ reader, namespaces }: RestoreSource): ReadonlyMap<string, SavedVolume> {
  const volumes = reader.manifest.volumes.filter(({ namespace }) => namespaces.includes(namespace));
  return new Map(volumes.map((volume) => [keyOf(volume), volume]));
}

/** What a restore's snapshot objects are made and removed with. */
export function claimsRequest({ cluster, limits }: JobParts, { job, signal }: JobContext): ClaimsRequest {
  return {
    cluster,
    uuid: job.uuid,
    timeoutMs: limits.snapshotTimeout,
    inFlight: limits.clusterConcurrency,
    signal,
  };
}
