import { persistentVolumeClaims, persistentVolumes, volumeSnapshotClasses } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { isSavedObject } from "../objects/object-selection.ts";

/** A claim whose data a snapshot can hold. */
export interface SnapshotableClaim {
  readonly namespace: string;
  readonly claim: string;
  readonly persistentVolume: string;
  readonly storageClass: string;
  readonly driver: string;
  readonly snapshotClass: string;
}

/** A claim whose data cannot be saved, and why. */
export interface UnsavableClaim {
  readonly namespace: string;
  readonly claim: string;
  readonly reason: string;
}

export interface ClaimSurvey {
  readonly snapshotable: readonly SnapshotableClaim[];
  readonly unsavable: readonly UnsavableClaim[];
  /** Claims that no volume was ever made for: they have no data. */
  readonly empty: readonly { readonly namespace: string; readonly claim: string }[];
}

interface ClaimSpec {
  volumeName?: string;
  storageClassName?: string;
  dataSource?: object;
}
interface VolumeSpec {
  csi?: { driver: string };
}

/** Looks at every claim of some namespaces: which have data, and which snapshot class can save it. */
export async function surveyClaims(
  cluster: Cluster,
  namespaces: readonly string[],
  signal: AbortSignal,
): Promise<ClaimSurvey> {
  const classes = await classesByDriver(cluster, signal);
  const snapshotable: SnapshotableClaim[] = [];
  const unsavable: UnsavableClaim[] = [];
  const empty: { namespace: string; claim: string }[] = [];
  for (const namespace of namespaces)
    for await (const object of cluster.list(persistentVolumeClaims, namespace, signal)) {
      if (!isSavedObject(persistentVolumeClaims, object)) continue;
      const claim = object.metadata.name;
      const { volumeName = "", storageClassName = "", dataSource } = (object["spec"] ?? {}) as ClaimSpec;
      const phase = (object["status"] as { phase?: string } | undefined)?.phase;
      if (phase === "Pending" && volumeName === "" && dataSource === undefined) {
        empty.push({ namespace, claim });
        continue;
      }
      const volume = volumeName === "" ? undefined : await cluster.get(persistentVolumes, "", volumeName, signal);
      const driver = (volume?.["spec"] as VolumeSpec | undefined)?.csi?.driver;
      const snapshotClass = driver === undefined ? undefined : classes.get(driver);
      if (phase !== "Bound") unsavable.push({ namespace, claim, reason: `it is ${phase ?? "in no phase"}, not Bound` });
      else if (!volume) unsavable.push({ namespace, claim, reason: `its volume ${volumeName} does not exist` });
      else if (driver === undefined)
        unsavable.push({ namespace, claim, reason: `its volume ${volumeName} is not a CSI volume` });
      else if (snapshotClass === undefined)
        unsavable.push({ namespace, claim, reason: `no VolumeSnapshotClass has its driver ${driver}: create one` });
      else if (storageClassName === "")
        unsavable.push({
          namespace,
          claim,
          reason: "it has no storage class that could make a volume from a snapshot",
        });
      else
        snapshotable.push({
          namespace,
          claim,
          persistentVolume: volumeName,
          storageClass: storageClassName,
          driver,
          snapshotClass,
        });
    }
  return { snapshotable, unsavable, empty };
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
