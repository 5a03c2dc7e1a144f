import { idOf } from "../../errors.ts";
import type { SavedVolume } from "../../archive/format.ts";
import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../../kubernetes/built-in-kinds.ts";
import { failureOf } from "../../kubernetes/attempts.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { isBound, unboundClaims } from "../../volumes/bound-claims.ts";
import { checkData, classFor, dataFor, fillClaims, releaseData } from "../../volumes/saved-data.ts";
import { existingClasses } from "../../volumes/storage-classes.ts";
import { inClass, reportOtherClass } from "../claims/claim-in-class.ts";
import { restoreFieldOwners } from "../compare/field-owners.ts";
import { discardFillers } from "./discard-fillers.ts";
import { type Filler, filledFor, isRestored } from "../claims/fillers.ts";
import { type HandOver, handOver, releaseHandedOver } from "./hand-over.ts";
import { dataRequest, importedElsewhere, noteImported } from "./imported-data.ts";
import { refusalOf } from "../objects/object-restorer.ts";
import type { OwnerLinks } from "../objects/owner-links.ts";
import { ownMarks, ownPolicy } from "../claims/retained-volumes.ts";
import { objectsOf, partsOf, type RestoreSource, volumesOf } from "../source/restore-source.ts";
import { sanitize } from "../../kinds/sanitize.ts";
import { removeRecreated } from "../claims/recreated-claims.ts";
import { createClaimWithoutData, recreateGoneClaims } from "../claims/claims-without-data.ts";

/**
 * Creates every saved claim, those with a snapshot from it, all at once, and waits until they are bound; a claim whose
 * class waits for its first consumer binds when the applications start. May run again.
 *
 * A claim that somebody else was faster to create would stay empty: it is deleted, and recreated. FAILED_PRECONDITION after
 * `podsStopTimeout` names those that keep coming back.
 */
export async function restoreClaims(
  deps: JobDeps,
  context: JobContext,
  source: RestoreSource,
  links: OwnerLinks,
): Promise<void> {
  const { cluster, limits } = deps;
  const { signal } = context;
  const request = dataRequest(deps, context);
  const volumes = [...volumesByClaim(source).values()];
  const recreatedOf = (existing: Claims) =>
    volumes
      .flatMap((volume) => existing.get(keyOf(volume)) ?? [])
      .filter((claim) => !isRestored(context, claim) && !isOnlyAdded(source, claim));
  const limit = Date.now() + limits.podsStopTimeout;
  let existing = await existingClaims(cluster, source, signal);
  let waitedFor: readonly SavedVolume[];
  do {
    await removeRecreated(deps, context, source.scope, recreatedOf(existing), limit);
    waitedFor = await makeClaims(deps, context, source, links, existing);
    existing = await existingClaims(cluster, source, signal);
  } while (recreatedOf(existing).length > 0);
  const inBackup = new Set<string>();
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumeclaims"]), signal)) {
    const { namespace = "", name, uid } = object.metadata;
    links.restored(uid, existing.get(`${namespace}/${name}`)?.metadata.uid);
    inBackup.add(`${namespace}/${name}`);
  }
  await recreateGoneClaims(deps, context, source, inBackup);
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
    throw new DrsError("FAILED_PRECONDITION", `${lateIn.join("; ")}; their events say what the CSI driver answers`, {
      id: "DRS-R048",
    });
  if (!source.isRollback)
    for (const { message } of await failureOf(() => releaseHandedOver(deps, context)))
      context.info(`${message}; tried again at the end`);
  if (volumes.length > 0)
    context.info(
      `restored ${volumes.length} claims from their snapshots${source.copies.size > 0 ? " and copies" : ""}`,
    );
}

/** Makes the claims that are not there, or not this restore's; gives the volumes of those that bind without a pod. */
async function makeClaims(
  deps: JobDeps,
  context: JobContext,
  source: RestoreSource,
  links: OwnerLinks,
  existing: Claims,
): Promise<readonly SavedVolume[]> {
  const { cluster, limits } = deps;
  const { signal } = context;
  const volumes = volumesByClaim(source);
  const classes = await existingClasses(cluster, signal);
  const binding = new Set<SavedVolume>();
  const filled: (Wish & HandOver)[] = [];
  const unfilled: Wish[] = [];
  const claims = objectsOf(source, partsOf(source, ["persistentvolumeclaims"]), signal);
  await forEachInFlight(claims, limits.clusterConcurrency, async ({ object }) => {
    const { namespace = "", name } = object.metadata;
    const volume = volumes.get(`${namespace}/${name}`);
    const claim = sanitize(persistentVolumeClaims, object);
    const owners = links.ownersFor(persistentVolumeClaims, object);
    if (owners.length > 0) claim.metadata.ownerReferences = [...owners];
    const there = existing.get(`${namespace}/${name}`);
    if (there && isOnlyAdded(source, there) && !isRestored(context, there)) return undefined;
    if (!volume) return createClaimWithoutData(deps, context, source, object, claim);
    const storageClass = classFor(volume, classes);
    if (storageClass?.["volumeBindingMode"] !== "WaitForFirstConsumer") binding.add(volume);
    if (isRestored(context, existing.get(keyOf(volume))))
      await restoreFieldOwners(cluster, persistentVolumeClaims, object, signal); // of an earlier run
    else {
      reportOtherClass(context, volume, storageClass);
      const wish = { volume, archived: object, claim: inClass(claim, storageClass) };
      const filler = filledFor(context, namespace, name);
      if (filler) filled.push({ ...wish, filler });
      else unfilled.push(wish);
    }
    return undefined;
  });
  const lost = await handOver(deps, context, filled);
  for (const { volume } of lost)
    context.info(`the volume that was filled for claim ${keyOf(volume)} is gone: another one is filled`, "DRS-R066");
  await attempt(context, discardFillers(deps, context, isUnfilled));
  noteImported(
    context,
    lost.map(({ volume }) => dataFor(volume)),
  );
  await checkData(
    dataRequest(deps, context),
    lost.map(({ volume }) => dataFor(volume)),
  );
  await fillNow(deps, context, [...unfilled, ...lost]);
  return [...volumes.values()].filter(
    (volume) => binding.has(volume) || filledFor(context, volume.namespace, volume.claim) !== undefined,
  );
}

interface Wish {
  readonly volume: SavedVolume;
  readonly archived: KubernetesObject;
  readonly claim: KubernetesObject;
}

/** Makes claims that are filled when they are there. */
async function fillNow(deps: JobDeps, context: JobContext, wishes: readonly Wish[]): Promise<void> {
  const { cluster } = deps;
  const { signal } = context;
  const request = dataRequest(deps, context);
  const fromCopies = wishes.filter(({ volume }) => volume.copy !== undefined).map(({ volume }) => keyOf(volume));
  if (fromCopies.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `volumes filled from copies are gone: claims ${fromCopies.join(", ")}; restore again`,
      { id: "DRS-V011" },
    );
  const wanted = wishes.map(({ volume, archived, claim }) => {
    const spec = { ...(claim["spec"] as Record<string, unknown>) };
    delete spec["selector"]; // the provisioner would refuse it
    return { ...dataFor(volume), archived, object: { ...claim, spec } };
  });
  await fillClaims(request, wanted, ({ archived }) =>
    restoreFieldOwners(cluster, persistentVolumeClaims, archived, signal),
  );
}

/**
 * Of every claim that is bound by now: gives its new volume the old one's policy, labels and annotations. Removes the snapshot
 * objects but those of claims that are yet to be filled; one that does not go is a warning that names it. May run again.
 */
export async function settleBoundClaims(deps: JobDeps, context: JobContext, source: RestoreSource): Promise<void> {
  const { cluster, limits } = deps;
  const { signal } = context;
  const request = dataRequest(deps, context);
  await attempt(context, releaseHandedOver(deps, context));
  const existing = await existingClaims(cluster, source, signal);
  const volumes = [...volumesByClaim(source).values()];
  // An application that is up may have deleted its claim, or made another one of its name.
  const isOurs = (volume: SavedVolume) => isRestored(context, existing.get(keyOf(volume)));
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
  await attempt(
    context,
    discardFillers(deps, context, ({ isHandedOver }) => isHandedOver !== true),
  );
  try {
    await releaseData(request, [...used.map(dataFor), ...importedElsewhere(context, source.targetNamespaces)]);
  } catch (error) {
    context.warn("DRS-R072", "", `${refusalOf(error)}; nothing needs it: delete it by hand`);
  }
}

const isUnfilled = ({ volume }: Filler) => volume === undefined;

/** Reports a failed clean-up: it stops nothing else. */
async function attempt({ warn }: Pick<JobContext, "warn">, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    warn(idOf(error), "", refusalOf(error));
  }
}

const provisionersAnnotation = /^(pv|volume)(\.beta)?\.kubernetes\.io\//;

/** The properties that a claim's volume keeps although it is another one now. */
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

/** Whether a claim that exists by now stays as it is, whatever has created it. */
function isOnlyAdded({ scope }: RestoreSource, { metadata }: KubernetesObject): boolean {
  return scope.liveReachOf(persistentVolumeClaims, metadata) === "if missing";
}

/** By namespace and name. */
type Claims = ReadonlyMap<string, KubernetesObject>;

/** The claims that are in the namespaces now. */
async function existingClaims(
  cluster: JobDeps["cluster"],
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
