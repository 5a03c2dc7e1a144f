import type { FurtherObjects } from "../config.ts";
import {
  csiNodes,
  customResourceDefinitions,
  events,
  jobs,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
} from "../kubernetes/built-in-kinds.ts";
import { leaseNamespace, leases } from "../jobs/lease-record.ts";
import type { ResourceRight } from "../kubernetes/cluster.ts";
import type { DiscoveredResource, Discovery } from "../kubernetes/discovery.ts";
import { type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { rightsOn } from "../kubernetes/rights.ts";
import { rulesOf } from "../kinds/kinds.ts";
import { verbsOfNeed } from "./cluster-scoped-needs.ts";
import { webhookConfigurations } from "../kinds/extensions/webhooks.ts";
import { namespaces as namespaceType } from "./entities.ts";
import { savedResources } from "./object-selection.ts";

/*
 * Every verb that the service uses, on every kind. Objects that it only looks at where it may (other users of a cluster-scoped
 * object) are not among them. A test compares the requests of whole jobs with this.
 */

const looking = ["get", "list", "watch"];
const writing = ["create", "update", "patch", "delete"];

/** Snapshots are taken, brought into a namespace, and deleted; what holds a claim for none any more is taken from it. */
function snapshotRights(namespaces: readonly string[]): readonly ResourceRight[] {
  return [
    ...namespaces.flatMap((namespace) => rightsOn(volumeSnapshots, [...looking, "create", "delete"], namespace)),
    ...namespaces.flatMap((namespace) => rightsOn(persistentVolumeClaims, ["get", "patch"], namespace)),
    ...rightsOn(volumeSnapshotContents, [...looking, "create", "patch", "delete"], ""),
    ...rightsOn(volumeSnapshotClasses, ["get", "list"], ""),
    ...rightsOn(storageClasses, ["list"], ""),
  ];
}

/** That no other service works on the control plane meanwhile. */
const leaseRights = rightsOn(leases, ["get", "create", "update"], leaseNamespace);

/** The rights for a backup of some namespaces, and for the deletion of this backup. */
export function backupRights(
  discovery: Pick<Discovery, "resources" | "serverOf">,
  namespaces: readonly string[],
  further: readonly FurtherObjects[] = [],
): readonly ResourceRight[] {
  const { resources } = discovery;
  const kinds = savedResources(discovery, namespaces);
  const isFurther = (kind: ResourceType) => further.some(({ resource }) => resource === resourceName(kind));
  return [
    ...resources.filter(isFurther).flatMap((kind) => rightsOn(kind, ["get", "list"], "")),
    ...resources.flatMap((kind) => rightsOn(kind, verbsOfNeed(resourceName(kind)), "")),
    ...namespaces.flatMap((namespace) => kinds.flatMap((kind) => rightsOn(kind, ["list"], namespace))),
    ...snapshotRights(namespaces),
    ...leaseRights,
  ];
}

/** The rights for a hook: `get` opens the connection to the pod, `create` is required by Kubernetes 1.35 and newer. */
export function hookRights(namespaces: readonly string[]): readonly ResourceRight[] {
  return namespaces.flatMap((namespace) => rightsOn(pods, ["get", "create"], namespace, "exec"));
}

export interface RestoreRights {
  /** The kinds that the cluster serves. */
  readonly resources: readonly DiscoveredResource[];
  readonly serverOf: Discovery["serverOf"];
  /** The kinds that are in the archive, those among them that the cluster is yet to serve. */
  readonly saved: readonly ResourceType[];
  readonly namespaces: readonly string[];
  /** Kinds whose status is restored, by their resources' names. */
  readonly statusOf: readonly string[];
}

/** The rights for a restore, whether it completes or rolls back. */
export function restoreRights({ saved, namespaces, statusOf, ...discovery }: RestoreRights): readonly ResourceRight[] {
  const kinds = savedResources(discovery, namespaces);
  const known = new Set(kinds.map(resourceName));
  const coming = saved.filter((kind) => kind.namespaced && !known.has(resourceName(kind)));
  const inNamespace = (namespace: string) => [
    ...kinds.flatMap((kind) => rightsOn(kind, [...looking, ...writing], namespace)),
    ...coming.flatMap((kind) => rightsOn(kind, [...looking, ...writing], namespace)),
    ...[...kinds, ...coming]
      .filter((kind) => statusOf.includes(resourceName(kind)))
      .flatMap((kind) => rightsOn(kind, ["patch"], namespace, "status")),
    ...rightsOn(jobs, ["patch"], namespace, "status"), // of jobs that had finished
    ...rightsOn(events, ["list", "watch"], namespace), // why a claim gets no volume
  ];
  return [
    ...namespaces.flatMap(inNamespace),
    ...saved.filter(isReplaced).flatMap((kind) => rightsOn(kind, [...looking, ...writing], "")),
    ...webhookConfigurations.flatMap((kind) => rightsOn(kind, [...looking, ...writing], "")),
    ...rightsOn(persistentVolumes, ["get", "create", "patch"], ""),
    ...rightsOn(namespaceType, [...looking, "create", "update", "patch"], ""),
    ...[nodes, csiNodes].flatMap((kind) => rightsOn(kind, ["list"], "")),
    ...rightsOn(customResourceDefinitions, ["get"], ""),
    ...snapshotRights(namespaces),
    ...leaseRights,
  ];
}

/** The rights for a scratch restore, and its removal. */
export function scratchRights(needed: RestoreRights): readonly ResourceRight[] {
  return [
    ...restoreRights(needed),
    ...rightsOn(namespaceType, ["delete"], ""),
    ...rightsOn(persistentVolumes, ["list", "watch"], ""),
  ];
}

/** The rights for filling volumes while the applications run: claims are created, filled from snapshots, and released in one namespace. */
export function fillRights(namespace: string): readonly ResourceRight[] {
  return [
    ...rightsOn(persistentVolumeClaims, [...looking, "create", "patch", "delete"], namespace),
    ...rightsOn(volumeSnapshots, [...looking, "create", "patch", "delete"], namespace),
    ...rightsOn(events, ["list", "watch"], namespace),
  ];
}

function isReplaced(kind: ResourceType): boolean {
  return !kind.namespaced && rulesOf(kind).wave !== "volumes";
}
