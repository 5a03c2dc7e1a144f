import type { Cluster } from "../../cluster.ts";
import { createObject } from "../../objects/create-object.ts";
import { deleteObject } from "../../objects/delete-object.ts";
import type { Claim, Volume, VolumeSnapshot, VolumeSnapshotClass, VolumeSnapshotContent } from "../../objects/kinds.ts";
import { isDeleting, keyOf, timestamp } from "../../objects/kubernetes-object.ts";
import { formatQuantity } from "../../objects/quantity.ts";
import { builtIn } from "../../objects/registry.ts";
import { resourceId } from "../../objects/resource.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { Controller } from "../controller.ts";
import { snapshotResources } from "./snapshot-resources.ts";

const claims = builtIn("persistentvolumeclaims");
const volumes = builtIn("persistentvolumes");
const { snapshots, contents, classes } = snapshotResources;

const finalizers = [
  "snapshot.storage.kubernetes.io/volumesnapshot-as-source-protection",
  "snapshot.storage.kubernetes.io/volumesnapshot-bound-protection",
];
/** Requests the deletion of the snapshot from the content's controller. */
export const beingDeleted = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted";

/** Gives each VolumeSnapshot its content, or the one it names, and shows the content's state. */
export function snapshotController(cluster: Cluster): Controller {
  const { store } = cluster;

  function contentOf(snapshot: VolumeSnapshot): VolumeSnapshotContent | undefined {
    const name = snapshot.spec?.source?.volumeSnapshotContentName ?? `snapcontent-${snapshot.metadata.uid}`;
    const content = store.get<VolumeSnapshotContent>(contents, `/${name}`);
    const { namespace, name: refName, uid } = content?.spec?.volumeSnapshotRef ?? {};
    const { metadata } = snapshot;
    const isMine = refName === metadata.name && namespace === metadata.namespace && (!uid || uid === metadata.uid);
    return isMine ? content : undefined;
  }

  function createContent(snapshot: VolumeSnapshot): string | undefined {
    const { namespace, name, uid, resourceVersion } = snapshot.metadata;
    const claimName = snapshot.spec?.source?.persistentVolumeClaimName;
    const claim = store.get<Claim>(claims, `${namespace}/${claimName}`);
    const volume = store.get<Volume>(volumes, `/${claim?.spec?.volumeName ?? ""}`);
    if (claim === undefined) return `snapshot controller failed to update ${name}: claim ${claimName} not found`;
    if (claim.status?.phase !== "Bound" || !volume?.spec?.csi) return `the PVC ${claimName} is not yet bound to a PV`;
    if (isDeleting(claim)) return `cannot add finalizer on claim ${claimName} because it is being deleted`;
    const { driver, volumeHandle } = volume.spec.csi;
    const className = snapshot.spec?.volumeSnapshotClassName;
    const snapshotClass = store.get<VolumeSnapshotClass>(classes, `/${className ?? ""}`);
    if (snapshotClass === undefined) return `failed to get snapshot class ${className ?? "(none)"}`;
    createObject(cluster, contents, {
      kind: contents.kind,
      apiVersion: "snapshot.storage.k8s.io/v1",
      metadata: { name: `snapcontent-${uid}` },
      spec: {
        deletionPolicy: snapshotClass.deletionPolicy,
        driver,
        source: { volumeHandle },
        sourceVolumeMode: volume.spec.volumeMode ?? "Filesystem",
        volumeSnapshotClassName: snapshotClass.metadata.name,
        volumeSnapshotRef: {
          apiVersion: snapshot.apiVersion,
          kind: snapshot.kind,
          name,
          namespace,
          resourceVersion,
          uid,
        },
      },
    });
    return undefined;
  }

  function show(key: string, content: VolumeSnapshotContent): void {
    const { creationTime, readyToUse = false, restoreSize, error } = content.status ?? {};
    changeObject<VolumeSnapshot>(cluster, snapshots, key, (copy) => {
      copy.status = {
        boundVolumeSnapshotContentName: content.metadata.name,
        ...(creationTime === undefined ? {} : { creationTime: timestamp(dateOf(creationTime)) }),
        ...(error === undefined ? {} : { error }),
        readyToUse,
        ...(restoreSize === undefined ? {} : { restoreSize: formatQuantity(restoreSize) }),
      };
    });
  }

  function fail(key: string, message: string): void {
    changeObject<VolumeSnapshot>(cluster, snapshots, key, (copy) => {
      if (copy.status?.error?.message === message) return;
      copy.status = { ...copy.status, error: { message, time: timestamp() }, readyToUse: false };
    });
  }

  function release(key: string, content: VolumeSnapshotContent | undefined): void {
    if (content !== undefined) {
      changeObject(cluster, contents, keyOf(content), ({ metadata }) => {
        metadata.annotations = { ...metadata.annotations, [beingDeleted]: "yes" };
      });
      if (content.spec?.deletionPolicy === "Delete") {
        // The snapshot stays until its content is gone.
        if (!isDeleting(content)) deleteObject(cluster, contents, keyOf(content));
        return;
      }
    }
    changeObject(cluster, snapshots, key, ({ metadata }) => {
      metadata.finalizers = (metadata.finalizers ?? []).filter((name) => !finalizers.includes(name));
    });
  }

  function defaultClass(): string | undefined {
    const annotation = "snapshot.storage.kubernetes.io/is-default-class";
    return [...store.list(classes)].find(({ metadata }) => metadata.annotations?.[annotation] === "true")?.metadata
      .name;
  }

  function prepare(key: string): void {
    changeObject<VolumeSnapshot>(cluster, snapshots, key, ({ metadata, spec }) => {
      metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), ...finalizers])];
      const name = defaultClass();
      const needsClass = spec?.source?.persistentVolumeClaimName && spec.volumeSnapshotClassName === undefined;
      if (needsClass && name) spec.volumeSnapshotClassName = name;
    });
  }

  return {
    *concerns({ resource, object }) {
      const id = resourceId(resource);
      if (id === resourceId(snapshots)) yield keyOf(object);
      if (id === resourceId(contents)) {
        const { volumeSnapshotRef: { namespace, name } = {} } = (object as VolumeSnapshotContent).spec ?? {};
        yield `${namespace}/${name}`;
      }
      if (id !== resourceId(classes) && resource !== claims) return;
      for (const snapshot of store.list<VolumeSnapshot>(snapshots))
        if (!snapshot.status?.readyToUse) yield keyOf(snapshot);
    },
    reconcile(key) {
      const found = store.get<VolumeSnapshot>(snapshots, key);
      if (found === undefined) return;
      if (isDeleting(found)) {
        release(key, contentOf(found));
        return;
      }
      prepare(key);
      const snapshot = store.get<VolumeSnapshot>(snapshots, key) ?? found;
      const content = contentOf(snapshot);
      if (content === undefined) {
        const wanted = snapshot.spec?.source?.volumeSnapshotContentName;
        // A snapshot that was ready does not get a second content.
        if (snapshot.status?.readyToUse) fail(key, "VolumeSnapshotContent is missing");
        else if (wanted) fail(key, `VolumeSnapshotContent ${wanted} is missing or bound to another snapshot`);
        else {
          const problem = createContent(snapshot);
          if (problem !== undefined) fail(key, problem);
        }
        return;
      }
      changeObject<VolumeSnapshotContent>(cluster, contents, keyOf(content), ({ spec }) => {
        if (spec?.volumeSnapshotRef) spec.volumeSnapshotRef.uid = snapshot.metadata.uid;
      });
      show(key, content);
    },
  };
}

/** Nanoseconds as the API writes them, as a date. */
function dateOf(nanoseconds: unknown): Date {
  return new Date(Number(JSON.stringify(nanoseconds)) / 1e6);
}
