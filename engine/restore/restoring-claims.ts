import { type FlatVolume, type SavedData, type SavedVolume, withData } from "../archive/format.ts";
import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { isBound, unboundClaims } from "../volumes/bound-claims.ts";
import { classFor, dataFor, driverFor, fillClaims, isFilledBy, releaseData } from "../volumes/saved-data.ts";
import { existingClasses } from "../volumes/storage-classes.ts";
import type { DataRequest, Filling } from "../volumes/volume-data.ts";
import { classAnnotation } from "../objects/claim-class.ts";
import { restoreFieldOwners } from "./field-owners.ts";
import { refusalOf } from "./object-restorer.ts";
import type { OwnerLinks } from "./owner-links.ts";
import { ownMarks, ownPolicy } from "./kept-volumes.ts";
import { objectsOf, partsOf, type RestoreSource, volumesOf } from "./restore-source.ts";
import { sanitize } from "./sanitize.ts";
import { removeUninvited } from "./uninvited-claims.ts";
import { createClaimWithoutSnapshot, remakeGoneClaims } from "./unsaved-claims.ts";

/**
 * Makes every saved claim, those with a snapshot from it, all at once, and waits until they are bound; a claim whose
 * class waits for its first consumer binds when the applications start. May run again.
 *
 * A claim that somebody else was faster to make would stay empty: it is deleted, and made again. FAILED_PRECONDITION after
 * `podsStopTimeout` names those that come back for ever.
 */
export async function restoreClaims(
  parts: JobParts,
  context: JobContext,
  source: RestoreSource,
  links: OwnerLinks,
): Promise<void> {
  const { cluster, limits } = parts;
  const { signal } = context;
  const request = dataRequest(parts, context);
  const volumes = [...volumesByClaim(source).values()];
  const uninvitedOf = (existing: Claims) =>
    volumes
      .flatMap((volume) => existing.get(keyOf(volume)) ?? [])
      .filter((claim) => !isFilledBy(request.uuid, claim) && !isOnlyAdded(source, claim));
  const limit = Date.now() + limits.podsStopTimeout;
  let existing = await existingClaims(cluster, source, signal);
  let waitedFor: readonly SavedVolume[];
  do {
    await removeUninvited(parts, context, source.scope, uninvitedOf(existing), limit);
    waitedFor = await makeClaims(parts, context, source, links, existing);
    existing = await existingClaims(cluster, source, signal);
  } while (uninvitedOf(existing).length > 0);
  const inBackup = new Set<string>();
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumeclaims"]), signal)) {
    const { namespace = "", name, uid } = object.metadata;
    links.restored(uid, existing.get(`${namespace}/${name}`)?.metadata.uid);
    inBackup.add(`${namespace}/${name}`);
  }
  await remakeGoneClaims(parts, context, source, inBackup);
  const lateIn: string[] = [];
  const waitedIn = Map.groupBy(waitedFor, (volume) => volume.namespace);
  await forEachInFlight(waitedIn, limits.clusterConcurrency, async ([namespace, here]) => {
    const late = await unboundClaims(request, namespace, new Set(here.map(({ claim }) => claim)));
    if (late.length > 0)
      lateIn.push(
        `claims of ${namespace} were not bound within ${limits.snapshotTimeout / 1000} s: ${late.join(", ")}`,
      );
  });
  if (lateIn.length > 0)
    throw new DrsError("FAILED_PRECONDITION", `${lateIn.join("; ")}; their events say what the CSI driver answers`);
  if (volumes.length > 0) context.info(`restored ${volumes.length} claims from their snapshots`);
}

/** Makes the claims that are not there, or not this restore's; gives the volumes of those that bind without a pod. */
async function makeClaims(
  parts: JobParts,
  context: JobContext,
  source: RestoreSource,
  links: OwnerLinks,
  existing: Claims,
): Promise<readonly SavedVolume[]> {
  const { cluster, limits } = parts;
  const { signal } = context;
  const request = dataRequest(parts, context);
  const volumes = volumesByClaim(source);
  const classes = await existingClasses(cluster, signal);
  const waitedFor: SavedVolume[] = [];
  const wanted: (Filling<SavedData> & { readonly archived: KubernetesObject })[] = [];
  const claims = objectsOf(source, partsOf(source, ["persistentvolumeclaims"]), signal);
  await forEachInFlight(claims, limits.clusterConcurrency, async ({ object }) => {
    const { namespace = "", name } = object.metadata;
    const volume = volumes.get(`${namespace}/${name}`);
    const claim = sanitize(persistentVolumeClaims, object);
    const owners = links.ownersFor(persistentVolumeClaims, object);
    if (owners.length > 0) claim.metadata.ownerReferences = [...owners];
    const there = existing.get(`${namespace}/${name}`);
    if (there && isOnlyAdded(source, there) && !isFilledBy(request.uuid, there)) return undefined;
    if (!volume) return createClaimWithoutSnapshot(parts, context, source, object, claim);
    const storageClass = classFor(volume, classes);
    if (storageClass?.["volumeBindingMode"] !== "WaitForFirstConsumer") waitedFor.push(volume);
    if (isFilledBy(request.uuid, existing.get(keyOf(volume))))
      await restoreFieldOwners(cluster, persistentVolumeClaims, object, signal); // of an earlier run
    else {
      const spec = { ...(claim["spec"] as Record<string, unknown>) };
      delete spec["selector"]; // the provisioner would refuse it
      const className = storageClass?.metadata.name ?? volume.storageClass;
      if (className !== volume.storageClass) {
        const why =
          volume.storageClass === ""
            ? `its volume ${volume.persistentVolume} was made by hand, in none`
            : `${volume.storageClass} makes no volumes of driver ${driverFor(volume)}`;
        context.warn(namespace, `claim ${name} is in storage class ${className} now: ${why}`);
        spec["storageClassName"] = className;
        delete claim.metadata.annotations?.[classAnnotation];
      }
      claim["spec"] = spec;
      wanted.push({ ...dataFor(volume), object: claim, archived: object });
    }
    return undefined;
  });
  await fillClaims(request, wanted, ({ archived }) =>
    restoreFieldOwners(cluster, persistentVolumeClaims, archived, signal),
  );
  return waitedFor;
}

/**
 * Of every claim that is bound by now: gives its new volume the old one's policy, labels and annotations. Removes the snapshot
 * objects but those of claims that are yet to be filled; one that does not go is a warning that names it. May run again.
 */
export async function settleBoundClaims(parts: JobParts, context: JobContext, source: RestoreSource): Promise<void> {
  const { cluster, limits } = parts;
  const { signal } = context;
  const request = dataRequest(parts, context);
  const existing = await existingClaims(cluster, source, signal);
  const volumes = [...volumesByClaim(source).values()];
  // An application that is up may have deleted its claim, or made another one of its name.
  const isOurs = (volume: SavedVolume) => isFilledBy(request.uuid, existing.get(keyOf(volume)));
  const bound = volumes.filter((volume) => isOurs(volume) && isBound(existing.get(keyOf(volume))));
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
    await releaseData(request, used.map(dataFor));
  } catch (error) {
    context.warn("", `${refusalOf(error)}; nothing needs it any more: delete it by hand`);
  }
}

/** Removes the snapshot objects of all claims, filled or not, when the restore has failed. May run again. */
export async function removeSnapshotObjects(parts: JobParts, context: JobContext): Promise<void> {
  const imported = context.notes.get<readonly (SavedVolume | FlatVolume)[]>("imported") ?? [];
  await releaseData(
    dataRequest(parts, context),
    imported.map((volume) => dataFor(withData(volume))),
  );
}

const provisionersAnnotation = /^(pv|volume)(\.beta)?\.kubernetes\.io\//;

/** What a claim's volume keeps although it is another one now. */
function carriedOver(volume: KubernetesObject): object {
  const { metadata } = volume;
  const annotations = Object.entries(ownMarks(metadata.annotations)).filter(
    ([name]) => !provisionersAnnotation.test(name),
  );
  return {
    metadata: { labels: ownMarks(metadata.labels), annotations: Object.fromEntries(annotations) },
    spec: { persistentVolumeReclaimPolicy: ownPolicy(volume) },
  };
}

/** Whether a claim that is there by now stays as it is, whoever has made it. */
function isOnlyAdded({ scope }: RestoreSource, { metadata }: KubernetesObject): boolean {
  return scope.liveReachOf(persistentVolumeClaims, metadata) === "if missing";
}

/** By namespace and name. */
type Claims = ReadonlyMap<string, KubernetesObject>;

/** The claims that are in the namespaces now. */
async function existingClaims(
  cluster: JobParts["cluster"],
  { targetNamespaces }: RestoreSource,
  signal: AbortSignal,
): Promise<Claims> {
  const found = new Map<string, KubernetesObject>();
  for (const namespace of targetNamespaces)
    for await (const claim of cluster.list(persistentVolumeClaims, namespace, signal))
      found.set(`${namespace}/${claim.metadata.name}`, claim);
  return found;
}

function keyOf({ namespace, claim }: SavedVolume): string {
  return `${namespace}/${claim}`;
}

function volumesByClaim(source: RestoreSource): ReadonlyMap<string, SavedVolume> {
  return new Map(volumesOf(source).map((volume) => [keyOf(volume), volume]));
}

/** What a restore works with saved data with. */
export function dataRequest({ cluster, limits }: JobParts, { job, signal }: JobContext): DataRequest {
  return {
    cluster,
    uuid: job.uuid,
    timeoutMs: limits.snapshotTimeout,
    inFlight: limits.clusterConcurrency,
    signal,
  };
}
