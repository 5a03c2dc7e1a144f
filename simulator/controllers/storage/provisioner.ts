import { randomUUID } from "node:crypto";
import { driver } from "../../bootstrap.ts";
import type { Cluster } from "../../cluster.ts";
import { createObject } from "../../objects/create-object.ts";
import type { Claim, StorageClass, Volume, VolumeSnapshot, VolumeSnapshotContent } from "../../objects/kinds.ts";
import { keyOf } from "../../objects/kubernetes-object.ts";
import { parseQuantity } from "../../objects/quantity.ts";
import { builtIn } from "../../objects/registry.ts";
import { changeObject } from "../../objects/update-object.ts";
import { snapshotResources } from "./snapshot-resources.ts";

const claims = builtIn("persistentvolumeclaims");
const volumes = builtIn("persistentvolumes");
const events = builtIn("events");
const secrets = builtIn("secrets");

type Source = { readonly files: ReadonlyMap<string, Buffer>; readonly size: number };

/** Makes a volume for a claim, with the data of its source; nothing while the source is not ready. */
export function provision(cluster: Cluster, claim: Claim, storageClass: StorageClass): void {
  if (storageClass.provisioner !== driver) return;
  changeObject(cluster, claims, keyOf(claim), ({ metadata }) => {
    metadata.annotations = {
      ...metadata.annotations,
      "volume.beta.kubernetes.io/storage-provisioner": driver,
      "volume.kubernetes.io/storage-provisioner": driver,
    };
  });
  const node = selectedNodeOf(claim);
  if (node !== undefined && cluster.data.fullNodes.has(node)) {
    abandon(cluster, claim, node);
    return;
  }
  const secret = secretFor(storageClass, claim);
  if (secret !== undefined && cluster.store.get(secrets, secret) === undefined) return;
  const source = sourceOf(cluster, claim);
  const storage = claim.spec?.resources?.requests?.storage ?? "0";
  if (source === undefined || parseQuantity(storage) < source.size) return;
  if (cluster.data.fillTimeMs > 0 && claim.spec?.dataSource) fillSlowly(cluster, claim, storageClass, source);
  else makeVolume(cluster, claim, storageClass, source);
}

function makeVolume(cluster: Cluster, claim: Claim, storageClass: StorageClass, source: Source): void {
  const storage = claim.spec?.resources?.requests?.storage ?? "0";
  const { namespace, name, uid, resourceVersion } = claim.metadata;
  const volume = `pvc-${uid}`;
  if (cluster.store.get(volumes, `/${volume}`) !== undefined) return;
  cluster.data.createVolume(volume, source.files);
  createObject(cluster, volumes, {
    kind: "PersistentVolume",
    apiVersion: "v1",
    metadata: { name: volume, annotations: { "pv.kubernetes.io/provisioned-by": driver } },
    spec: {
      capacity: { storage },
      csi: { driver, volumeHandle: volume, fsType: "ext4" },
      accessModes: claim.spec?.accessModes ?? [],
      claimRef: { kind: "PersistentVolumeClaim", namespace, name, uid, apiVersion: "v1", resourceVersion },
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? "Delete",
      storageClassName: storageClass.metadata.name,
      ...(storageClass.mountOptions ? { mountOptions: storageClass.mountOptions } : {}),
      volumeMode: claim.spec?.volumeMode ?? "Filesystem",
    },
  });
}

/** Makes the volume when it is full, also when its claim has gone meanwhile: a driver cannot be stopped. */
function fillSlowly(cluster: Cluster, claim: Claim, storageClass: StorageClass, source: Source): void {
  const { store, data } = cluster;
  const { uid } = claim.metadata;
  if (data.filling.has(uid)) return;
  data.filling.add(uid);
  setTimeout(() => {
    data.filling.delete(uid);
    const now = store.get<Claim>(claims, keyOf(claim));
    makeVolume(cluster, now?.metadata.uid === uid ? now : claim, storageClass, source);
  }, data.fillTimeMs).unref();
}

/** The key of the Secret that the class wants a claim's volume made with, if any. */
function secretFor({ parameters = {} }: StorageClass, { metadata }: Claim): string | undefined {
  const [name, namespace] = ["name", "namespace"].map((part) =>
    parameters[`csi.storage.k8s.io/provisioner-secret-${part}`]
      ?.replaceAll("${pvc.name}", metadata.name)
      .replaceAll("${pvc.namespace}", metadata.namespace ?? ""),
  );
  return name === undefined ? undefined : `${namespace}/${name}`;
}

const selectedNode = "volume.kubernetes.io/selected-node";

/** The node that the scheduler, or somebody in its stead, wants a claim's volume for. */
export function selectedNodeOf({ metadata }: Claim): string | undefined {
  return metadata.annotations?.[selectedNode];
}

/** Says that a node has no room, and leaves it to others to select another one. */
function abandon(cluster: Cluster, claim: Claim, node: string): void {
  const { namespace, name, uid } = claim.metadata;
  createObject(cluster, events, {
    kind: "Event",
    apiVersion: "v1",
    metadata: { namespace: namespace ?? "", name: `${name}.${randomUUID()}` },
    involvedObject: { kind: "PersistentVolumeClaim", apiVersion: "v1", namespace, name, uid },
    type: "Warning",
    reason: "ProvisioningFailed",
    message: `rpc error: code = ResourceExhausted desc = no room on ${node}`,
    lastTimestamp: new Date().toISOString(),
  });
  changeObject(cluster, claims, keyOf(claim), ({ metadata }) => {
    delete metadata.annotations?.[selectedNode];
  });
}

/** The data a claim begins with; undefined while it is not there yet. */
function sourceOf({ store, data }: Cluster, claim: Claim): Source | undefined {
  const source = claim.spec?.dataSource;
  if (source === undefined) return { files: new Map(), size: 0 };
  const key = `${claim.metadata.namespace}/${source.name}`;
  if (source.kind === "VolumeSnapshot") {
    const { snapshots, contents } = snapshotResources;
    const status = store.get<VolumeSnapshot>(snapshots, key)?.status;
    if (status?.readyToUse !== true) return undefined;
    const content = store.get<VolumeSnapshotContent>(contents, `/${status.boundVolumeSnapshotContentName}`);
    return data.snapshots.get(content?.status?.snapshotHandle ?? "");
  }
  if (source.kind !== "PersistentVolumeClaim") return undefined;
  const origin = store.get<Claim>(claims, key);
  const volume = store.get<Volume>(volumes, `/${origin?.spec?.volumeName ?? ""}`);
  const files = data.volumes.get(volume?.spec?.csi?.volumeHandle ?? "");
  return files && { files, size: parseQuantity(volume?.spec?.capacity?.storage) };
}
