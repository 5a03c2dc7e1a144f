import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runThroughDeaths } from "../crash/deaths.ts";
import { eventually } from "../support/eventually.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import type { TestService } from "../support/service.ts";
import { claimFolder, takeVolumePicture } from "../support/volumes.ts";
import { aControlPlane, type SmallControlPlane } from "./support.ts";

const namespace = "fidelity-idle-claims";
const claims = "v1/persistentvolumeclaims";
const snapshots = "snapshot.storage.k8s.io/v1/volumesnapshots";
const selectedNode = "volume.kubernetes.io/selected-node";

/** The class makes no volume before a pod, or somebody in the scheduler's place, has said for which node. */
const manifests = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: idle-late }
provisioner: dir.csi.test
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: idle, annotations: { ${selectedNode}: node-0 } }
spec: { storageClassName: idle-late, accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
`;
let plane: SmallControlPlane;
let saved: ReadonlyMap<string, string>;

beforeAll(async () => {
  plane = await aControlPlane(namespace, manifests, { flags: ["--snapshot-timeout=5s"] });
  await plane.until(claims, "idle", isBound);
  const folder = await claimFolder(plane.cluster, namespace, "idle");
  await writeFile(join(folder, "content"), "that no pod reads now");
  saved = await takeVolumePicture(plane.cluster, [namespace]);
});

afterAll(async () => {
  await plane?.kubectl("uncordon", "node-0");
  await plane?.remove();
});

test("a claim that no pod uses has its data after a restore, and keeps it when the backup is deleted", async () => {
  await plane.backUp();
  const { warnings, errors } = await plane.restore();
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  expect((await plane.get(claims, "idle")).metadata.annotations?.[selectedNode]).toBe("node-0");
  expect(await plane.list(snapshots)).toEqual([]);

  await plane.service.api("deleteBackup", { backupCrn: plane.backupCrn });
  await plane.service.waitUntilDeleted(plane.backupCrn);
  expect(await takeVolumePicture(plane.cluster, [namespace])).toEqual(saved);
});

test("a claim for which there is no node stays unbound, with a warning, and a later restore brings its data", async () => {
  await plane.backUp();
  await plane.kubectl("cordon", "node-0");
  const { warnings, errors } = await plane.restore({ state: "PARTIALLY_FAILED" });
  expect(errors).toEqual([]);
  expect(warnings).toEqual([expect.stringMatching(/claim idle .*no ready and schedulable node.*keep the backup/)]);
  expect(isBound(await plane.get(claims, "idle"))).toBe(false);

  await plane.kubectl("uncordon", "node-0");
  await plane.restore();
  expect(await takeVolumePicture(plane.cluster, [namespace])).toEqual(saved);
});

test("a claim that the driver makes no volume for is a warning with its reason, and is bound when it can be", async () => {
  await plane.backUp();
  const [handle = ""] = await plane.snapshotHandles();
  const snapshot = join(plane.cluster.storageFolder, "snapshots", handle);
  const { restoreCrn: crn } = await plane.service.api("restoreBackup", { backupCrn: plane.backupCrn });
  await eventually("the snapshot has been looked at", async () => (await plane.log({ crn })).includes("STOPPING_APPS"));
  await rename(snapshot, `${snapshot}.away`);
  const { warnings } = await plane.service.waitForJob(crn, { state: "PARTIALLY_FAILED" });
  await rename(`${snapshot}.away`, snapshot);
  expect(warnings).toMatchObject([{ text: expect.stringMatching(/for node node-0: .*content source not found/) }]);

  await plane.until(claims, "idle", isBound);
  expect(await takeVolumePicture(plane.cluster, [namespace])).toEqual(saved);
});

test("a service that dies after each step with a claim that no pod uses brings its data all the same", async () => {
  await plane.backUp();
  const ofEarlierRestores = await plane.list(snapshots);
  await plane.service.kill();
  const { cluster, service } = plane;
  const flags = [`--namespace=${namespace}`, `--vault-namespace=${namespace}-vault`];
  const deaths = [
    { at: "restore STARTING_APPS: after PATCH persistentvolumeclaims" },
    { at: "restore FINISH: after PATCH persistentvolumes" },
    { at: "restore FINISH: after DELETE volumesnapshotcontents" },
  ];
  const state = async (of: TestService): Promise<string | undefined> =>
    (await of.api("listRestores", { backupCrn: plane.backupCrn })).restores[0]?.restoreJobState;
  const survivor = await runThroughDeaths(
    {
      options: { cluster, data: service.data, flags },
      ask: (it) => it.api("restoreBackup", { backupCrn: plane.backupCrn }),
      isOver: async (it) => /COMPLETED|FAILED/.test((await state(it)) ?? ""),
    },
    deaths,
  );
  expect(await state(survivor.service)).toBe("COMPLETED");
  await survivor.service.kill();
  expect(survivor.died).toEqual(deaths);
  expect(await takeVolumePicture(cluster, [namespace])).toEqual(saved);
  expect(await plane.list(snapshots)).toHaveLength(ofEarlierRestores.length);
});

function isBound(claim: KubernetesObject): boolean {
  return claim["status"]?.phase === "Bound";
}
