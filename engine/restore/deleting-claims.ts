import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { DrsError } from "../errors.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { waitUntilGone } from "../kubernetes/waiting.ts";
import { persistentVolumeClaims, persistentVolumes } from "../volumes/snapshot-resources.ts";

/** A volume that a restore has taken its claim from, and that is kept until the restore is over. */
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
 * Deletes the claims of the namespaces and keeps their volumes: each is noted, then told to stay, and only then its claim
 * goes. `isLeft` names the claims that stay, as nothing could bring their data back. May run again.
 */
export async function deleteClaims(
  { cluster, limits }: JobParts,
  context: JobContext,
  namespaces: readonly string[],
  isLeft: (namespace: string, claim: string) => boolean,
): Promise<void> {
  const { signal, notes } = context;
  const inFlight = limits.clusterConcurrency;
  for (const namespace of namespaces) {
    let count = 0;
    const isOurs = ({ metadata }: KubernetesObject) => !isLeft(namespace, metadata.name);
    await forEachInFlight(cluster.list(persistentVolumeClaims, namespace, signal), inFlight, async (claim) => {
      if (!isOurs(claim)) return;
      const { name } = claim.metadata;
      const { volumeName = "" } = claim["spec"] as { volumeName?: string };
      const volume = volumeName === "" ? undefined : await cluster.get(persistentVolumes, "", volumeName, signal);
      if (volume) {
        const { persistentVolumeReclaimPolicy: reclaimPolicy = "Retain" } = volume["spec"] as {
          persistentVolumeReclaimPolicy?: string;
        };
        const kept: KeptVolume = { persistentVolume: volumeName, namespace, claim: name, reclaimPolicy };
        if (notes.get(keptNotes + volumeName) === undefined) notes.set(keptNotes + volumeName, kept);
        const retain = { spec: { persistentVolumeReclaimPolicy: "Retain" } };
        await cluster.patch(persistentVolumes, "", volumeName, retain, signal);
      }
      await cluster.delete(persistentVolumeClaims, namespace, name, signal);
      count++;
    });
    const wait = { type: persistentVolumeClaims, namespace, timeoutMs: limits.podsStopTimeout, signal };
    const left = await waitUntilGone(cluster, wait, isOurs);
    if (left.length > 0)
      throw new DrsError(
        "FAILED_PRECONDITION",
        `claims of ${namespace} are still there ${limits.podsStopTimeout / 1000} s after their deletion: ` +
          left
            .map(({ metadata }) => `${metadata.name} (held by ${metadata.finalizers?.join(", ") ?? "nothing"})`)
            .join(", "),
      );
    if (count > 0)
      context.info(`deleted ${count} claims of ${namespace}; their volumes are kept until the restore is over`);
  }
}

/** Gives up the kept volumes after a restore that went well: each gets its own reclaim policy back. */
export async function releaseKeptVolumes({ cluster, limits }: JobParts, context: JobContext): Promise<void> {
  const kept = keptVolumes(context);
  await forEachInFlight(kept, limits.clusterConcurrency, async ({ persistentVolume, reclaimPolicy }) => {
    const policy = { spec: { persistentVolumeReclaimPolicy: reclaimPolicy } };
    await cluster.patch(persistentVolumes, "", persistentVolume, policy, context.signal);
  });
  if (kept.length > 0) context.info(`${kept.length} replaced volumes were given back to their reclaim policies`);
  context.notes.clear(keptNotes);
}
