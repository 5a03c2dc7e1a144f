import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import { isBound } from "../volumes/claims-from-snapshots.ts";
import type { LeftClaims } from "./deleting-claims.ts";

/** A volume that a restore may take its claim from, and that is kept until the restore is over. */
export interface KeptVolume {
  readonly persistentVolume: string;
  readonly namespace: string;
  readonly claim: string;
  /** What the volume's own policy was: Delete or Retain. */
  readonly reclaimPolicy: string;
}

const keptNotes = "kept/";

/** The volumes kept so far. */
export function keptVolumes({ notes }: Pick<JobContext, "notes">): readonly KeptVolume[] {
  return [...notes.entries<KeptVolume>(keptNotes)].map(([, volume]) => volume);
}

/**
 * Notes the volume of every claim of the namespaces and tells it to stay, whatever becomes of its claim: claims go with
 * their owners, so this comes before the first object is stopped or deleted. May run again.
 */
export async function keepVolumes(
  { cluster, limits }: JobParts,
  { notes, signal }: JobContext,
  namespaces: readonly string[],
): Promise<void> {
  for (const namespace of namespaces) {
    const claims = cluster.list(persistentVolumeClaims, namespace, signal);
    await forEachInFlight(claims, limits.clusterConcurrency, async ({ metadata: { name }, ...claim }) => {
      const { volumeName = "" } = claim["spec"] as { volumeName?: string };
      const volume = volumeName === "" ? undefined : await cluster.get(persistentVolumes, "", volumeName, signal);
      if (!volume) return;
      const { persistentVolumeReclaimPolicy: reclaimPolicy = "Retain" } = volume["spec"] as {
        persistentVolumeReclaimPolicy?: string;
      };
      const kept: KeptVolume = { persistentVolume: volumeName, namespace, claim: name, reclaimPolicy };
      if (notes.get(keptNotes + volumeName) === undefined) notes.set(keptNotes + volumeName, kept);
      const retain = { spec: { persistentVolumeReclaimPolicy: "Retain" } };
      await cluster.patch(persistentVolumes, "", volumeName, retain, signal);
    });
  }
}

/**
 * Gives up the kept volumes when the restore is over: each gets its own reclaim policy back. But the data of claims that were
 * to be left is nowhere else: where such a claim is no longer on its volume, that stays, with a warning that names it.
 */
export async function releaseKeptVolumes(
  { cluster, limits }: JobParts,
  context: JobContext,
  isLeft: LeftClaims,
): Promise<void> {
  const { signal, warn } = context;
  const kept = keptVolumes(context);
  await forEachInFlight(kept, limits.clusterConcurrency, async (volume) => {
    const { persistentVolume, namespace, claim: name, reclaimPolicy } = volume;
    if (isLeft(namespace, name) && reclaimPolicy !== "Retain") {
      const claim = await cluster.get(persistentVolumeClaims, namespace, name, signal);
      const { volumeName } = (claim?.["spec"] ?? {}) as { volumeName?: string };
      if (!isBound(claim) || volumeName !== persistentVolume) {
        warn(
          namespace,
          `volume ${persistentVolume} is not claim ${name}'s any more, and has the only copy of its data: it is kept by the policy Retain`,
        );
        return;
      }
    }
    const policy = { spec: { persistentVolumeReclaimPolicy: reclaimPolicy } };
    await cluster.patch(persistentVolumes, "", persistentVolume, policy, signal);
  });
  if (kept.length > 0) context.info(`${kept.length} replaced volumes were given back to their reclaim policies`);
  context.notes.clear(keptNotes);
}
