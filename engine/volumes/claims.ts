import { persistentVolumeClaims, persistentVolumes, volumeSnapshotClasses } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { classOf } from "../kinds/core/claim-class.ts";
import { isSavedObject } from "../objects/object-selection.ts";
import { isBound } from "./bound-claims.ts";
import { classOfDriver, existingClasses } from "./storage-classes.ts";

/** A claim whose data a snapshot can hold. */
export interface SnapshotableClaim {
  readonly namespace: string;
  readonly claim: string;
  readonly persistentVolume: string;
  /** Empty for a volume that was made by hand in none. */
  readonly storageClass: string;
  readonly driver: string;
  readonly snapshotClass: string;
  /** Set for a terminating claim: its snapshot is taken of the volume itself. */
  readonly volumeHandle?: string;
}

/** A claim whose data no snapshot can hold, and why. */
export interface UnsavableClaim {
  readonly namespace: string;
  readonly claim: string;
  readonly reason: string;
  /** Whether it has a volume that can be read. */
  readonly hasVolume: boolean;
}

export interface ClaimSurvey {
  readonly snapshotable: readonly SnapshotableClaim[];
  readonly unsavable: readonly UnsavableClaim[];
  /** Claims that no volume was ever made for: they have no data. */
  readonly empty: readonly { readonly namespace: string; readonly claim: string }[];
  /** Claims that somebody has deleted, and that stay as long as a pod uses them. They are among the others, too. */
  readonly beingDeleted: readonly { readonly namespace: string; readonly claim: string }[];
  /** Claims whose volume somebody has deleted: it stays as long as they do. They are among the others, too. */
  readonly volumesBeingDeleted: readonly {
    readonly namespace: string;
    readonly claim: string;
    readonly volume: string;
  }[];
  /** Those with a snapshot for which no storage class of the cluster could make a volume again. */
  readonly classless: readonly SnapshotableClaim[];
  /** The storage classes in which the others could be made from their snapshots: their own, or some of their drivers. */
  readonly classes: readonly string[];
}

interface VolumeSpec {
  csi?: { driver: string; volumeHandle: string };
}

/** Looks at every claim of some namespaces: which have data, and which snapshot class can save it. */
export async function surveyClaims(
  cluster: Cluster,
  namespaces: readonly string[],
  signal: AbortSignal,
): Promise<ClaimSurvey> {
  const snapshotClasses = await classesByDriver(cluster, signal);
  const snapshotable: SnapshotableClaim[] = [];
  const unsavable: UnsavableClaim[] = [];
  const empty: { namespace: string; claim: string }[] = [];
  const beingDeleted: { namespace: string; claim: string }[] = [];
  const volumesBeingDeleted: { namespace: string; claim: string; volume: string }[] = [];
  for (const namespace of namespaces)
    for await (const object of cluster.list(persistentVolumeClaims, namespace, signal)) {
      if (!isSavedObject(persistentVolumeClaims, object)) continue;
      const claim = object.metadata.name;
      const isDeleted = object.metadata.deletionTimestamp !== undefined;
      if (isDeleted) beingDeleted.push({ namespace, claim });
      const { volumeName = "", dataSource } = (object["spec"] ?? {}) as { volumeName?: string; dataSource?: object };
      const phase = (object["status"] as { phase?: string } | undefined)?.phase;
      if (phase === "Pending" && volumeName === "" && dataSource === undefined) {
        empty.push({ namespace, claim });
        continue;
      }
      const volume = volumeName === "" ? undefined : await cluster.get(persistentVolumes, "", volumeName, signal);
      if (volume?.metadata.deletionTimestamp !== undefined)
        volumesBeingDeleted.push({ namespace, claim, volume: volumeName });
      const csi = (volume?.["spec"] as VolumeSpec | undefined)?.csi;
      const snapshotClass = csi && snapshotClasses.get(csi.driver);
      const without = (reason: string) =>
        unsavable.push({ namespace, claim, reason, hasVolume: isBound(object) && volume !== undefined });
      if (!isBound(object)) without(`it is ${phase ?? "in no phase"}, not Bound`);
      else if (!volume) without(`its volume ${volumeName} does not exist`);
      else if (csi === undefined) without(`its volume ${volumeName} is not a CSI volume`);
      else if (snapshotClass === undefined) without(`no VolumeSnapshotClass has its driver ${csi.driver}: create one`);
      else
        snapshotable.push({
          namespace,
          claim,
          persistentVolume: volumeName,
          storageClass: classOf(object),
          driver: csi.driver,
          snapshotClass,
          ...(isDeleted && { volumeHandle: csi.volumeHandle }),
        });
    }
  const classes = snapshotable.length === 0 ? [] : await existingClasses(cluster, signal);
  const classless = snapshotable.filter((claim) => !classOfDriver(claim, classes));
  const classNames = snapshotable.flatMap((claim) => classOfDriver(claim, classes)?.metadata.name ?? []);
  return {
    snapshotable,
    unsavable,
    empty,
    beingDeleted,
    volumesBeingDeleted,
    classless,
    classes: [...new Set(classNames)],
  };
}

/** For each driver the class marked as default, or else the first by name. */
async function classesByDriver(cluster: Cluster, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const classes = new Map<string, string>();
  for (const wanted of [true, false])
    for await (const object of cluster.list(volumeSnapshotClasses, "", signal)) {
      const driver = String(object["driver"]);
      if (isDefaultClass(object) === wanted && !classes.has(driver)) classes.set(driver, object.metadata.name);
    }
  return classes;
}

function isDefaultClass({ metadata }: KubernetesObject): boolean {
  return metadata.annotations?.["snapshot.storage.kubernetes.io/is-default-class"] === "true";
}
