import { driver } from "../../bootstrap.ts";
import type { Cluster } from "../../cluster.ts";
import { exactNumber } from "../../objects/json.ts";
import type { Volume, VolumeSnapshot, VolumeSnapshotContent } from "../../objects/kinds.ts";
import { isDeleting, keyOf, timestamp } from "../../objects/kubernetes-object.ts";
import { parseQuantity } from "../../objects/quantity.ts";
import { builtIn } from "../../objects/registry.ts";
import { resourceId } from "../../objects/resource.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { StoredSnapshot } from "../../volumes/volume-data.ts";
import type { Controller } from "../controller.ts";
import { snapshotResources } from "./snapshot-resources.ts";
import { beingDeleted } from "./snapshots.ts";

const volumes = builtIn("persistentvolumes");
const { snapshots, contents } = snapshotResources;
const finalizer = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection";

/** The CSI driver's part: takes and deletes the stored snapshots that contents stand for. */
export function snapshotContentController(cluster: Cluster): Controller {
  const { store, data } = cluster;

  /** The stored snapshot of a content, taken now if it stands for a volume; undefined when there is none. */
  function stored(content: VolumeSnapshotContent): { handle: string; snapshot: StoredSnapshot | undefined } {
    const { snapshotHandle, volumeHandle = "" } = content.spec?.source ?? {};
    const handle = snapshotHandle ?? content.status?.snapshotHandle ?? `snap-${content.metadata.uid}`;
    const files = data.volumes.get(volumeHandle);
    const exists = data.snapshots.get(handle);
    if (exists || snapshotHandle || files === undefined) return { handle, snapshot: exists };
    const volume = [...store.list<Volume>(volumes)].find(({ spec }) => spec?.csi?.volumeHandle === volumeHandle);
    return { handle, snapshot: data.takeSnapshot(handle, files, parseQuantity(volume?.spec?.capacity?.storage)) };
  }

  function fill(key: string, content: VolumeSnapshotContent): void {
    const { handle, snapshot } = stored(content);
    changeObject<VolumeSnapshotContent>(cluster, contents, key, (copy) => {
      copy.metadata.finalizers = [...new Set([...(copy.metadata.finalizers ?? []), finalizer])];
      if (snapshot !== undefined) {
        copy.status = {
          creationTime: exactNumber(BigInt(snapshot.takenAt.getTime()) * 1_000_000n),
          readyToUse: true,
          restoreSize: snapshot.size,
          snapshotHandle: handle,
        };
      } else if (copy.status?.error === undefined) {
        const message = `Failed to check and update snapshot content: snapshot ${handle} not found`;
        copy.status = { error: { message, time: timestamp() }, readyToUse: false };
      }
    });
  }

  /** A content goes when its snapshot is gone or going; with policy Delete the stored snapshot goes first. */
  function release(key: string, content: VolumeSnapshotContent): void {
    const { volumeSnapshotRef: ref, source, deletionPolicy } = content.spec ?? {};
    const snapshot = store.get<VolumeSnapshot>(snapshots, `${ref?.namespace}/${ref?.name}`);
    const isHeld = snapshot !== undefined && ref?.uid === snapshot.metadata.uid;
    if (isHeld && content.metadata.annotations?.[beingDeleted] !== "yes") return;
    if (deletionPolicy === "Delete")
      data.snapshots.delete(content.status?.snapshotHandle ?? source?.snapshotHandle ?? "");
    changeObject(cluster, contents, key, ({ metadata }) => {
      metadata.finalizers = (metadata.finalizers ?? []).filter((name) => name !== finalizer);
    });
  }

  return {
    *concerns({ resource, object, type }) {
      const id = resourceId(resource);
      if (id === resourceId(contents)) yield keyOf(object);
      if (id !== resourceId(snapshots) || type !== "DELETED") return;
      for (const content of store.list<VolumeSnapshotContent>(contents)) {
        if (content.spec?.volumeSnapshotRef?.uid === object.metadata.uid) yield keyOf(content);
      }
    },
    reconcile(key) {
      const content = store.get<VolumeSnapshotContent>(contents, key);
      if (content?.spec?.driver !== driver) return;
      if (isDeleting(content)) release(key, content);
      else if (!content.status?.readyToUse) fill(key, content);
    },
  };
}
