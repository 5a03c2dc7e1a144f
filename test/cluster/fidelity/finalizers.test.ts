import { rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimFolder } from "../support/volumes.ts";
import { aControlPlane, clusterPath, type SmallControlPlane } from "./support.ts";

/** Nobody is there to take these finalizers away. */
const manifests = `
apiVersion: v1
kind: ConfigMap
metadata: { name: held, finalizers: [example.com/config] }
data: { a: b }
---
apiVersion: v1
kind: Service
metadata: { name: held, finalizers: [example.com/load-balancer] }
spec: { ports: [{ port: 80 }] }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: held, finalizers: [example.com/claim] }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: snapped }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
`;
/** What the backup does not have. */
const later = `
apiVersion: v1
kind: ConfigMap
metadata: { name: later, finalizers: [example.com/config] }
---
apiVersion: v1
kind: Service
metadata: { name: later, finalizers: [example.com/load-balancer] }
spec: { ports: [{ port: 80 }] }
`;
const held = {
  "v1/configmaps": "example.com/config",
  "v1/services": "example.com/load-balancer",
  "v1/persistentvolumeclaims": "example.com/claim",
};
const snapshots = "snapshot.storage.k8s.io/v1/volumesnapshots";
const protection = "snapshot.storage.kubernetes.io/pvc-as-source-protection";
let plane: SmallControlPlane;

beforeAll(async () => {
  plane = await aControlPlane("fidelity-finalizers", manifests, { flags: ["--finalizer-timeout=1s"] });
  for (const name of ["held", "snapped"])
    await plane.until("v1/persistentvolumeclaims", name, ({ status }) => status?.phase === "Bound");
  await plane.backUp();
});

afterAll(async () => {
  for (const kind of Object.keys(held))
    if (await plane?.find(kind, "held")) await plane.patch(kind, "held", { metadata: { finalizers: null } });
  await plane?.remove();
});

test("a finalizer whose controller is stopped holds the restore for a limited time, and is named", async () => {
  await plane.create(later);
  const started = Date.now();
  const { warnings, errors } = await plane.restore({ state: "PARTIALLY_FAILED" });
  expect(Date.now() - started).toBeLessThan(25_000);
  expect(errors).toEqual([]);
  expect(warnings).toHaveLength(3);
  const deleted = [
    "PersistentVolumeClaim held was held by example.com/claim",
    "ConfigMap later was held by",
    "Service later was held by",
  ];
  for (const text of deleted) expect(warnings).toContainEqual(expect.stringContaining(text));
  expect(await plane.find("v1/services", "later")).toBeUndefined();
  for (const [kind, finalizer] of Object.entries(held)) {
    const { metadata } = await plane.get(kind, "held");
    expect(metadata["deletionTimestamp"]).toBeUndefined();
    expect(metadata.finalizers).toContain(finalizer);
  }
});

test("a claim that the snapshot controller has forgotten is let go by a backup, and at once by a restore", async () => {
  const forget = async () => {
    const { metadata } = await plane.get("v1/persistentvolumeclaims", "snapped");
    const finalizers = [...(metadata.finalizers ?? []), protection];
    await plane.patch("v1/persistentvolumeclaims", "snapped", { metadata: { finalizers } });
  };
  await forget();
  await plane.backUp();
  expect((await plane.get("v1/persistentvolumeclaims", "snapped")).metadata.finalizers).not.toContain(protection);
  await forget();
  const { warnings } = await plane.restore({ state: "PARTIALLY_FAILED" });
  expect(warnings.filter((text) => text.includes("snapped"))).toEqual([]);
});

test("the snapshot controller holds a claim for a snapshot that never gets ready, and the restore no longer than that", async () => {
  const { cluster } = plane;
  const volume = basename(await claimFolder(cluster, plane.namespace, "snapped"));
  const failure = join(cluster.storageFolder, "failing", volume);
  await writeFile(failure, JSON.stringify({ code: "INTERNAL", message: "the pool's mirror is broken" }));
  try {
    await cluster.kubernetes.create(plane.path(snapshots), {
      apiVersion: "snapshot.storage.k8s.io/v1",
      kind: "VolumeSnapshot",
      metadata: { name: "never" },
      spec: { source: { persistentVolumeClaimName: "snapped" }, volumeSnapshotClassName: "dir" },
    });
    const isHeld = ({ metadata }: { metadata: { finalizers?: string[] } }) =>
      metadata.finalizers?.includes(protection) === true;
    await plane.until("v1/persistentvolumeclaims", "snapped", isHeld);
    await plane.until(snapshots, "never", ({ status }) => status?.error !== undefined);
    const restore = await plane.restore({ state: "PARTIALLY_FAILED" });
    expect(restore.errors).toEqual([]);
    expect(restore.warnings).toContainEqual(expect.stringContaining(`snapped was held by ${protection} for 1 s`));
    expect(await plane.log(restore)).toMatch(
      /VolumeSnapshot \S+\/never of claim snapped is not ready .*mirror is broken/,
    );
    expect(basename(await claimFolder(cluster, plane.namespace, "snapped"))).not.toBe(volume);
  } finally {
    await rm(failure, { force: true });
    await removeWithContent(snapshots, "never");
  }
});

/** The volume of what is to be snapped is gone: nobody else would let the snapshot and its content go. */
async function removeWithContent(snapshots: string, name: string): Promise<void> {
  const { kubernetes } = plane.cluster;
  const { status } = await plane.get(snapshots, name);
  const content = status?.boundVolumeSnapshotContentName as string | undefined;
  const contents = content && clusterPath("snapshot.storage.k8s.io/v1/volumesnapshotcontents", content);
  for (const path of [plane.path(snapshots, name), ...(contents ? [contents] : [])]) {
    await kubernetes.delete(path);
    await kubernetes.patch(path, { metadata: { finalizers: null } }).catch(() => undefined); // it may be gone by now
  }
}
