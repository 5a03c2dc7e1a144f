import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { groupOf, type OwnerReference, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { isMadeByCluster } from "../../objects/object-selection.ts";
import type { LeftClaims } from "./retained-volumes.ts";
import type { OwnerLinks } from "../objects/owner-links.ts";
import { userSnapshots } from "../../kinds/restore-order.ts";

/**
 * Removes the owners of the claims that are left and of users' own snapshots, or they would be deleted with these, and their data
 * with them. Owners that stay too are kept: the snapshot controller knows the members of a group by them. `links` restores the
 * others. May run again, and must where a controller that still ran may have set them again.
 */
export async function detachFromOwners(
  { cluster, limits }: JobDeps,
  { signal }: JobContext,
  { resources }: Pick<Discovery, "resources">,
  namespaces: readonly string[],
  isLeft: LeftClaims,
  links?: OwnerLinks,
): Promise<void> {
  const snapshots = resources.filter((resource) => userSnapshots.includes(resourceName(resource)));
  const stays = (owner: OwnerReference) =>
    snapshots.some(({ apiVersion, kind }) => kind === owner.kind && groupOf(apiVersion) === groupOf(owner.apiVersion));
  for (const type of [persistentVolumeClaims, ...snapshots])
    for (const namespace of namespaces) {
      const found = cluster.listMetadata(type, namespace, signal);
      await forEachInFlight(found, limits.clusterConcurrency, async (object) => {
        const { name, ownerReferences = [] } = object.metadata;
        if (type === persistentVolumeClaims && (isMadeByCluster(type, object) || !isLeft(object))) return;
        const kept = ownerReferences.filter(stays);
        if (kept.length === ownerReferences.length) return;
        links?.relink(type, object);
        const patch = { metadata: { ownerReferences: kept.length === 0 ? null : kept } };
        await cluster.patch(type, namespace, name, patch, signal);
      });
    }
}
