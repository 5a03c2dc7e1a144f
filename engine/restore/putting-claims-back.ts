import { DrsError } from "../errors.ts";
import type { JobParts } from "../jobs/parts.ts";
import type { JobContext } from "../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { unboundClaims } from "../volumes/claims-from-snapshots.ts";
import { claimsGone } from "./deleting-claims.ts";
import { restoreFieldOwners } from "./field-owners.ts";
import { keptVolumes, releaseKeptVolumes } from "./kept-volumes.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";
import { claimsRequest } from "./restoring-claims.ts";
import { sanitize } from "./sanitize.ts";
import { isProvisioned } from "./unsaved-claims.ts";

/**
 * Deletes the claims that are not on a volume they had before: those that the restore has made, and with them their
 * volumes, which are copies out of snapshots. May run again.
 */
export async function removeNewClaims(source: RestoreSource, parts: JobParts, context: JobContext): Promise<void> {
  const { cluster, limits } = parts;
  const { signal } = context;
  const keptNames = new Set(keptVolumes(context).map((volume) => volume.persistentVolume));
  const before = await claimsBefore(source, signal);
  for (const namespace of source.namespaces) {
    const deleted = new Set<string | undefined>();
    await forEachInFlight(
      cluster.list(persistentVolumeClaims, namespace, signal),
      limits.clusterConcurrency,
      async (claim) => {
        const { volumeName = "" } = claim["spec"] as { volumeName?: string };
        const { name } = claim.metadata;
        const wasThere = (before.get(`${namespace}/${name}`)?.["spec"] as { volumeName?: string } | undefined)
          ?.volumeName;
        const isKept = keptNames.has(volumeName) || (wasThere !== undefined && wasThere === volumeName);
        if (isKept && claim.metadata.deletionTimestamp === undefined) return; // else it has to go before it can come back
        const volume =
          volumeName === "" || isKept ? undefined : await cluster.get(persistentVolumes, "", volumeName, signal);
        if (volume && isProvisioned(volume)) {
          const policy = { spec: { persistentVolumeReclaimPolicy: "Delete" } };
          await cluster.patch(persistentVolumes, "", volumeName, policy, signal);
        }
        await cluster.delete(persistentVolumeClaims, namespace, name, signal);
        deleted.add(claim.metadata.uid);
      },
    );
    if (deleted.size > 0) await claimsGone(parts, context, namespace, ({ metadata }) => deleted.has(metadata.uid));
  }
}

/** Gives the kept volumes to claims like those they were taken from. May run again. */
export async function putClaimsBack(parts: JobParts, context: JobContext, source: RestoreSource): Promise<void> {
  const { cluster, limits } = parts;
  const { signal } = context;
  const before = await claimsBefore(source, signal);
  // A claim that somebody has made since under the same name had another volume.
  const formerly = keptVolumes(context).filter(({ namespace, claim, persistentVolume }) => {
    const saved = before.get(`${namespace}/${claim}`);
    const { volumeName = persistentVolume } = (saved?.["spec"] ?? {}) as { volumeName?: string };
    return saved !== undefined && volumeName === persistentVolume;
  });
  await forEachInFlight(formerly, limits.clusterConcurrency, async ({ namespace, claim, persistentVolume }) => {
    const saved = before.get(`${namespace}/${claim}`);
    if (!saved) return;
    if (!(await cluster.get(persistentVolumeClaims, namespace, claim, signal))) {
      const free = { spec: { claimRef: { uid: null, resourceVersion: null } } };
      await cluster.patch(persistentVolumes, "", persistentVolume, free, signal);
      const wanted = sanitize(persistentVolumeClaims, saved);
      wanted["spec"] = { ...(wanted["spec"] as object), volumeName: persistentVolume };
      await cluster.createOnce(persistentVolumeClaims, namespace, wanted, signal);
    }
    await restoreFieldOwners(cluster, persistentVolumeClaims, saved, signal);
  });
  for (const namespace of source.namespaces) {
    const names = new Set(formerly.filter((volume) => volume.namespace === namespace).map((volume) => volume.claim));
    if (names.size === 0) continue;
    const late = await unboundClaims(claimsRequest(parts, context), namespace, names);
    if (late.length > 0)
      throw new DrsError(
        "FAILED_PRECONDITION",
        `claims of ${namespace} did not bind to their old volumes: ${late.join(", ")}`,
      );
  }
  await releaseKeptVolumes(parts, context, () => false);
}

/** The claims that were there before the restore, by namespace and name. */
async function claimsBefore(
  source: RestoreSource,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, KubernetesObject>> {
  const before = new Map<string, KubernetesObject>();
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumeclaims"]), signal))
    before.set(`${object.metadata.namespace ?? ""}/${object.metadata.name}`, object);
  return before;
}
