import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../../kubernetes/built-in-kinds.ts";
import { attemptEach, throwAll } from "../../kubernetes/attempts.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { isMadeByCluster } from "../../objects/object-selection.ts";
import { isBound, unboundClaims, volumeOf } from "../../volumes/bound-claims.ts";
import { secretsOfVolume } from "../../volumes/class-secrets.ts";
import { isRestored } from "./fillers.ts";
import type { Scope } from "../source/scope.ts";

/** Whether a claim stays as it is, as nothing could bring its data back. */
export type LeftClaims = (claim: Pick<KubernetesObject, "metadata">) => boolean;

/** A volume that a restore may take its claim from, retained until the restore is over. */
export interface RetainedVolume {
  readonly persistentVolume: string;
  readonly namespace: string;
  readonly claim: string;
  /** The volume's own policy before: Delete or Retain. */
  readonly reclaimPolicy: string;
  /** Whether its data is to go with a pod: https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes */
  readonly isEphemeral?: boolean;
  /** The Secrets that its driver reads it with, as `namespace/name`. */
  readonly secrets?: readonly string[];
  /** Noted right before it gets its own policy back, by which it may go. */
  readonly isReleased?: boolean;
}

const retainedNotes = "kept/";

/** On the PersistentVolumes that a restore retains: its uuid. */
const retainedByLabel = "drs.cloudera.com/kept-by";
/** On the same: the reclaim policy that they had before. */
const formerPolicyAnnotation = "drs.cloudera.com/former-policy";

const howToFree = 'see "Freeing what a restore has replaced" in docs/operations.md';

/** The volumes retained so far. */
export function retainedVolumes({ notes }: Pick<JobContext, "notes">): readonly RetainedVolume[] {
  return [...notes.entries<RetainedVolume>(retainedNotes)].map(([, volume]) => volume);
}

/** The Secrets without which the retained volumes are of no use, as `namespace/name`. */
export function secretsOfRetainedVolumes(context: Pick<JobContext, "notes">): ReadonlySet<string> {
  return new Set(retainedVolumes(context).flatMap(({ secrets = [] }) => secrets));
}

/**
 * Notes the volume of every claim that the restore may replace and sets it to Retain, whatever becomes of its claim: claims go with
 * their owners, so this comes before the first object is stopped or deleted. May run again.
 */
export async function retainVolumes({ cluster, limits }: JobDeps, context: JobContext, scope: Scope): Promise<void> {
  const { signal } = context;
  for (const namespace of scope.targetNamespaces) {
    const claims = cluster.list(persistentVolumeClaims, namespace, signal);
    await forEachInFlight(claims, limits.clusterConcurrency, async (claim) => {
      if (scope.liveReachOf(persistentVolumeClaims, claim.metadata) !== "as saved") return;
      const volumeName = volumeOf(claim);
      const volume = volumeName === "" ? undefined : await cluster.get(persistentVolumes, "", volumeName, signal);
      if (volume) await retainVolume(cluster, context, claim, volume);
    });
  }
}

/** Notes a claim's volume and sets it to Retain. */
async function retainVolume(
  cluster: JobDeps["cluster"],
  { job, notes, signal }: JobContext,
  claim: KubernetesObject,
  volume: KubernetesObject,
): Promise<void> {
  const { name } = volume.metadata;
  const reclaimPolicy = ownPolicy(volume);
  const retained: RetainedVolume = {
    persistentVolume: name,
    namespace: claim.metadata.namespace ?? "",
    claim: claim.metadata.name,
    reclaimPolicy,
    ...(isMadeByCluster(persistentVolumeClaims, claim) && { isEphemeral: true }),
    secrets: secretsOfVolume(volume).map((secret) => `${secret.namespace}/${secret.name}`),
  };
  if (notes.get(noteOf(name)) === undefined) notes.set(noteOf(name), retained);
  const metadata = {
    labels: { [retainedByLabel]: job.uuid },
    annotations: { [formerPolicyAnnotation]: reclaimPolicy },
  };
  await cluster.patch(
    persistentVolumes,
    "",
    name,
    { metadata, spec: { persistentVolumeReclaimPolicy: "Retain" } },
    signal,
  );
}

/** A volume's reclaim policy, that of before where a restore keeps it. */
export function ownPolicy({ metadata, ...volume }: KubernetesObject): string {
  const { persistentVolumeReclaimPolicy: policy = "Retain" } = volume["spec"] as {
    persistentVolumeReclaimPolicy?: string;
  };
  return policy === "Retain" ? (metadata.annotations?.[formerPolicyAnnotation] ?? policy) : policy;
}

/** A volume's labels or annotations, without those of a restore that keeps it. */
export function ownMarks(marks: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { [retainedByLabel]: _label, [formerPolicyAnnotation]: _annotation, ...own } = marks;
  return own;
}

/**
 * Releases the retained volumes when all is restored: each gets its own reclaim policy back that is still its claim's, or whose
 * claim has another volume now with the data of the backup. Every other one stays, with a warning that names it, as its data
 * may be nowhere else. May run again.
 */
export async function releaseRetainedVolumes(deps: JobDeps, context: JobContext, isLeft: LeftClaims): Promise<void> {
  const { info, warn } = context;
  let replaced = 0;
  await releaseThose(deps, context, (retained, claim) => {
    const { persistentVolume, namespace, claim: name, reclaimPolicy } = retained;
    if (isOn(retained, claim)) return true;
    const isOurs = isRestored(context, claim) && !isLeft({ metadata: { namespace, name } });
    if (isOurs && isBound(claim)) {
      replaced++;
      if (reclaimPolicy === "Retain")
        info(`the former data of claim ${namespace}/${name} is on volume ${persistentVolume}, whose policy is Retain`);
      return true;
    }
    if (!isOurs)
      warn(
        "DRS-R078",
        namespace,
        `volume ${persistentVolume} no longer belongs to claim ${name}, and has the only copy of its data: it is kept by the policy Retain`,
      );
    return false; // `bindUnconsumedClaims` reports a claim of ours that waits for a pod
  });
  if (replaced > 0) info(`${replaced} replaced volumes were given back to their reclaim policies`);
}

/**
 * Releases the retained volumes that are their claims' again after a rollback. Every other one stays, with
 * a warning that names it. May run again.
 */
export async function releaseRestoredVolumes(deps: JobDeps, context: JobContext): Promise<void> {
  await releaseThose(deps, context, (retained, claim) => {
    if (isOn(retained, claim)) return true;
    const { namespace, claim: name, persistentVolume } = retained;
    context.warn(
      "DRS-R075",
      namespace,
      `volume ${persistentVolume} does not belong to claim ${name}: it is kept by the policy Retain, ${howToFree}`,
    );
    return false;
  });
}

/**
 * Gives its own policy back to each retained volume that may have it; to ephemeral ones always. One that is refused keeps no
 * other one.
 */
async function releaseThose(
  { cluster, limits }: Pick<JobDeps, "cluster" | "limits">,
  context: JobContext,
  mayGo: (retained: RetainedVolume, claim: KubernetesObject | undefined) => boolean,
): Promise<void> {
  const { signal, notes, warn } = context;
  await untilBound({ cluster, limits }, context);
  const refused = await attemptEach(retainedVolumes(context), limits.clusterConcurrency, async (retained) => {
    const { persistentVolume, namespace, claim: name, reclaimPolicy, isEphemeral, isReleased } = retained;
    const volume = await cluster.get(persistentVolumes, "", persistentVolume, signal);
    const claim = await cluster.get(persistentVolumeClaims, namespace, name, signal);
    if (volume && isEphemeral !== true && !mayGo(retained, claim)) return;
    if (!volume && isEphemeral !== true && isReleased !== true)
      warn(
        "DRS-R076",
        namespace,
        `volume ${persistentVolume}, which claim ${name} had before, was deleted from the cluster by someone: the storage may still have its data`,
      );
    notes.set(noteOf(persistentVolume), { ...retained, isReleased: true });
    const metadata = { labels: { [retainedByLabel]: null }, annotations: { [formerPolicyAnnotation]: null } };
    const spec = { persistentVolumeReclaimPolicy: reclaimPolicy };
    await cluster.patch(persistentVolumes, "", persistentVolume, { metadata, spec }, signal);
    notes.set(releasedNoteOf(persistentVolume), true);
    notes.clear(noteOf(persistentVolume));
  });
  throwAll([...refused.values()]);
}

/** Waits for the claims that were put on their volumes again: a busy cluster takes its time to bind them. */
async function untilBound(
  { cluster, limits }: Pick<JobDeps, "cluster" | "limits">,
  context: JobContext,
): Promise<void> {
  const { signal } = context;
  const waitedFor = new Map<string, Set<string>>();
  await forEachInFlight(retainedVolumes(context), limits.clusterConcurrency, async (retained) => {
    const claim = await cluster.get(persistentVolumeClaims, retained.namespace, retained.claim, signal);
    if (!claim || isBound(claim) || volumeOf(claim) !== retained.persistentVolume) return;
    waitedFor.set(retained.namespace, (waitedFor.get(retained.namespace) ?? new Set()).add(retained.claim));
  });
  const request = { cluster, timeoutMs: limits.snapshotTimeout, signal };
  await forEachInFlight(waitedFor, limits.clusterConcurrency, async ([namespace, names]) => {
    await unboundClaims(request, namespace, names);
  });
}

/** Whether a claim has the volume that it was taken from. */
function isOn({ persistentVolume }: RetainedVolume, claim: KubernetesObject | undefined): boolean {
  return claim !== undefined && isBound(claim) && volumeOf(claim) === persistentVolume;
}

/** The names of volumes that were retained, and have their own policies again. */
export function releasedVolumes({ notes }: Pick<JobContext, "notes">): readonly string[] {
  return [...notes.entries<true>(releasedNotes)].map(([key]) => key.slice(releasedNotes.length, -1));
}

const releasedNotes = "released/";

function releasedNoteOf(volume: string): string {
  return `${releasedNotes}${volume}/`;
}

/** Ends in a slash, or to clear it would clear those of longer names too. */
function noteOf(volume: string): string {
  return `${retainedNotes}${volume}/`;
}
