import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { claimFolder } from "../support/volumes.ts";
import { aControlPlane, clusterPath, type Outcome, type SmallControlPlane } from "./support.ts";

const claims = "v1/persistentvolumeclaims";
const statefulSets = "apps/v1/statefulsets";
const selectedNode = "volume.kubernetes.io/selected-node";
/** Bytes, more than the claim asked for: storage systems round up, and volumes grow behind their claims' backs. */
const grown = 3 * 2 ** 20;
const withData = ["kept", "late", "copy", "by-hand", "data-queue-0"];

let plane: SmallControlPlane;
let restored: Outcome;

beforeAll(async () => {
  plane = await aControlPlane("volumes", classes);
  await mkdir(join(plane.cluster.storageFolder, "volumes/made-by-hand"));
  await plane.create(manifests);
  for (const name of withData.filter((claim) => claim !== "copy")) await plane.until(claims, name, isBound);
  await plane.until("snapshot.storage.k8s.io/v1/volumesnapshots", "taken", ({ status }) => status?.readyToUse === true);
  await plane.create(copy);
  await plane.until(claims, "copy", isBound);
  await plane.kubectl("delete", "volumesnapshot/taken");
  for (const name of withData) await writeFile(await fileOf(name), `of ${name}`);
  const volume = clusterPath("v1/persistentvolumes", (await plane.get(claims, "kept"))["spec"].volumeName);
  await plane.cluster.kubernetes.patch(volume, {
    metadata: { labels: { tier: "gold" }, annotations: { note: "ours" } },
  });
  await writeFile(join(plane.cluster.storageFolder, "sizes", basename(dirname(await fileOf("kept")))), String(grown));
  await plane.patch(claims, "late", { metadata: { annotations: { [selectedNode]: "volumes-retired" } } });
  await plane.backUp({ state: "PARTIALLY_FAILED" });

  await plane.kubectl("delete", "--now", "pod/reader", "statefulset/queue");
  await plane.kubectl("delete", "pvc/kept", "pvc/late", "pvc/copy", "pvc/share", "pvc/unused", "pv/volumes-share");
  await plane.kubectl("delete", "pvc/by-hand", "pv/volumes-by-hand");
  await eventually("the queue's claim is gone", async () => !(await plane.find(claims, "data-queue-0")));
  restored = await plane.restore({ state: "PARTIALLY_FAILED" });
});

afterAll(async () => plane?.remove());

test("claims are bound to new volumes with the data that was saved", async () => {
  for (const name of withData) expect(await readFile(await fileOf(name), "utf8")).toBe(`of ${name}`);
});

test("a claim that asked for less than its snapshot needs asks for as much", async () => {
  const { spec, status } = await plane.get(claims, "kept");
  expect(spec.resources.requests.storage).toBe(String(grown));
  expect(status.capacity.storage).toBe("3Mi");
});

test("a volume has its own reclaim policy, labels and annotations again", async () => {
  const volume = await volumeOf("kept");
  expect(volume.metadata).toMatchObject({ labels: { tier: "gold" }, annotations: { note: "ours" } });
  expect(volume["spec"].persistentVolumeReclaimPolicy).toBe("Retain");
  expect((await volumeOf("copy"))["spec"].persistentVolumeReclaimPolicy).toBe("Delete");
});

test("a claim keeps its own annotations and none of its old binding", async () => {
  const { metadata, spec } = await plane.get(claims, "copy");
  expect(metadata.annotations).toMatchObject({ purpose: "a copy" });
  expect(spec.dataSource.name).not.toBe("taken");
  const unused = await plane.get(claims, "unused");
  expect(unused["status"].phase).toBe("Pending");
  expect(Object.keys(unused.metadata.annotations ?? {})).toEqual([]);
});

test("a claim whose class waits for a pod is bound when its pod runs, and one that nothing uses waits on", async () => {
  await plane.until("v1/pods", "reader", ({ status }) => status?.phase === "Running");
  const late = await plane.get(claims, "late");
  expect(isBound(late)).toBe(true);
  expect(late.metadata.annotations?.[selectedNode]).toBe("node-0"); // not the one that no pod can run on any more
  expect(restored.errors).toEqual([]);
});

test("a claim on a volume that no driver has made is on that volume again, with a warning", async () => {
  const { spec, status } = await plane.get(claims, "share");
  expect({ spec, status }).toMatchObject({ spec: { volumeName: "volumes-share" }, status: { phase: "Bound" } });
  expect((await volumeOf("share"))["spec"].hostPath.path).toBe("/srv/share");
  expect(restored.warnings).toContainEqual(expect.stringContaining("claim share has its volume volumes-share again"));
});

test("a claim on a volume that was made by hand for a driver gets its data in a class of that driver, with a warning", async () => {
  expect((await plane.get(claims, "by-hand"))["spec"].storageClassName).toBe("dir");
  expect(restored.warnings).toContainEqual(expect.stringContaining("claim by-hand is now in storage class dir"));
  expect(restored).toMatchObject({ errors: [], warnings: { length: 2 } });
});

test("a claim that goes with its stateful set is owned by the new one, and stays", async () => {
  const { metadata } = await plane.get(statefulSets, "queue");
  const { ownerReferences } = (await plane.get(claims, "data-queue-0")).metadata;
  expect(ownerReferences).toMatchObject([{ kind: "StatefulSet", name: "queue", uid: metadata["uid"] }]);
});

function isBound(claim: KubernetesObject): boolean {
  return claim["status"]?.phase === "Bound";
}

async function fileOf(claim: string): Promise<string> {
  return join(await claimFolder(plane.cluster, plane.namespace, claim), "content");
}

async function volumeOf(claim: string): Promise<KubernetesObject> {
  const { spec } = await plane.get(claims, claim);
  return plane.cluster.kubernetes.get(clusterPath("v1/persistentvolumes", spec.volumeName));
}

const classes = `
apiVersion: v1
kind: Node
metadata: { name: volumes-retired }
spec: { unschedulable: true }
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: volumes-retained }
provisioner: dir.csi.test
reclaimPolicy: Retain
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: volumes-late }
provisioner: dir.csi.test
volumeBindingMode: WaitForFirstConsumer
`;

const size = "accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } }";
const containers = "containers: [{ name: main, image: example.com/app }]";

const manifests = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: kept }
spec: { storageClassName: volumes-retained, ${size} }
---
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: { name: taken }
spec: { volumeSnapshotClassName: dir, source: { persistentVolumeClaimName: kept } }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: late }
spec: { storageClassName: volumes-late, ${size} }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: unused }
spec: { storageClassName: volumes-late, ${size} }
---
apiVersion: v1
kind: Pod
metadata: { name: reader }
spec:
  ${containers}
  volumes: [{ name: data, persistentVolumeClaim: { claimName: late } }]
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: volumes-share }
spec:
  capacity: { storage: 1Mi }
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  hostPath: { path: /srv/share }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: share }
spec: { storageClassName: "", volumeName: volumes-share, ${size} }
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: volumes-by-hand }
spec:
  storageClassName: nobodys
  capacity: { storage: 1Mi }
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  csi: { driver: dir.csi.test, volumeHandle: made-by-hand }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: by-hand }
spec: { storageClassName: nobodys, volumeName: volumes-by-hand, ${size} }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: queue }
spec:
  serviceName: queue
  persistentVolumeClaimRetentionPolicy: { whenDeleted: Delete }
  selector: { matchLabels: { app: queue } }
  template:
    metadata: { labels: { app: queue } }
    spec: { ${containers} }
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: { ${size} }
`;

const copy = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: copy, annotations: { purpose: a copy } }
spec:
  { dataSource: { apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: taken }, ${size} }
`;
