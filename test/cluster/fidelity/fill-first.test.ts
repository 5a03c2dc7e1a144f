import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { existsSync } from "node:fs";
import { eventually } from "../support/eventually.ts";
import { apiPath, type KubernetesObject } from "../support/kubernetes-client.ts";
import { restoreLeftovers } from "../support/leftovers.ts";
import { sharedCluster } from "../support/shared-cluster.ts";
import { claimFolder, treeDigest } from "../support/volumes.ts";
import { aControlPlane, clusterPath, type Outcome, type SmallControlPlane } from "./support.ts";

const claims = "v1/persistentvolumeclaims";
const names = ["plain", "late", "chosen"];
const place = "fill-first-place";

let plane: SmallControlPlane;
let digests: ReadonlyMap<string, string>[];
let others: readonly (readonly string[])[];
let restored: Outcome;
/** The names of the volumes before the restore. */
let former: readonly string[];

beforeAll(async () => {
  const { kubectl } = await sharedCluster();
  await kubectl("create", "namespace", place);
  plane = await aControlPlane("fill-first", manifests, { flags: [`--fill-namespace=${place}`] });
  await writeManifest(plane, bystander);
  for (const name of names) await plane.until(claims, name, isBound);
  await plane.until("v1/pods", "reader", ({ status }) => status?.phase === "Running");
  for (const name of names) await writeFile(join(await folderOf(name), "file"), `of ${name}`);
  digests = await Promise.all(names.map(async (name) => treeDigest(await folderOf(name))));
  await plane.backUp();
  for (const name of names) await writeFile(join(await folderOf(name), "file"), "later");
  former = await Promise.all(names.map(volumeName));
  others = await othersObjects();
  await refuseSnapshots(plane.cluster);
  const [handle = ""] = await plane.snapshotHandles();
  await writeFile(failureOf(handle), JSON.stringify({ code: "UNAVAILABLE", message: "busy", times: 9 }));
  restored = await plane.restore();
});

afterAll(async () => {
  await plane?.remove();
  await plane?.cluster.kubectl("delete", "--wait=false", "--ignore-not-found", "namespace", place);
  const [kind, name] = ["validatingadmissionpolicy", "no-snapshots-in-fill-first"];
  await plane?.cluster.kubectl("delete", "--ignore-not-found", `${kind}/${name}`, `${kind}binding/${name}`);
});

test("volumes are filled with the data before anything is stopped, also where the class waits for a pod", async () => {
  const log = await plane.log(restored);
  expect(log).toMatch(/PRE_VALIDATION filled 3 volumes while the applications run\n/);
  for (const [index, name] of names.entries()) expect(await treeDigest(await folderOf(name))).toEqual(digests[index]);
  for (const name of await Promise.all(names.map(volumeName))) expect(former).not.toContain(name);
});

test("how long the driver takes is no downtime", async () => {
  const log = await plane.log(restored);
  const seconds = (phase: string) => Number(new RegExp(`${phase} phase finished after (\\S+) s`).exec(log)?.[1]);
  expect(seconds("PRE_VALIDATION")).toBeGreaterThan(6);
  expect(seconds("RESTORING_PVC")).toBeLessThan(5);
  const [handle = ""] = await plane.snapshotHandles();
  expect(existsSync(failureOf(handle))).toBe(false);
});

test("claims are as they were saved, without a source, on volumes with their own policy", async () => {
  for (const name of names) {
    const claim = await plane.get(claims, name);
    expect(claim["spec"]).not.toHaveProperty("dataSource");
    expect(claim["spec"].resources).toEqual({ requests: { storage: "1Mi" } });
    const volume = await plane.cluster.kubernetes.get(clusterPath("v1/persistentvolumes", claim["spec"].volumeName));
    expect(volume["spec"]).toMatchObject({
      persistentVolumeReclaimPolicy: name === "chosen" ? "Retain" : "Delete",
      claimRef: { namespace: "fill-first", name, uid: claim.metadata["uid"] },
    });
    expect(volume.metadata.labels ?? {}).toEqual({});
  }
});

test("no policy of the control plane judges the snapshots, and what others have beside them is as it was", async () => {
  expect(restored).toMatchObject({ state: "COMPLETED", warnings: [], errors: [] });
  expect(await othersObjects()).toEqual(others);
  const stays = `PersistentVolume ${former[names.indexOf("chosen")]}`; // by its own policy
  expect(await restoreLeftovers(plane.cluster, restored.crn)).toEqual([stays]);
});

async function volumeName(claim: string): Promise<string> {
  return (await plane.get(claims, claim))["spec"].volumeName;
}

function folderOf(claim: string): Promise<string> {
  return claimFolder(plane.cluster, plane.namespace, claim);
}

function failureOf(handle: string): string {
  return join(plane.cluster.storageFolder, "failing", handle);
}

/** Every claim, snapshot and file in the place, with the versions. */
async function othersObjects(): Promise<readonly (readonly string[])[]> {
  const { kubernetes } = plane.cluster;
  const resources = [
    { apiVersion: "v1", resource: "persistentvolumeclaims" },
    { apiVersion: "snapshot.storage.k8s.io/v1", resource: "volumesnapshots" },
  ];
  const lists = await Promise.all(resources.map((type) => kubernetes.list(apiPath(type, place))));
  const files = await treeDigest(await claimFolder(plane.cluster, place, "bystander"));
  return [...lists.map((list) => list.map((object) => JSON.stringify(object))), [...files].flat()];
}

/** From now on nobody makes VolumeSnapshots in the control plane's namespace. */
async function refuseSnapshots({ folder, kubectl }: SmallControlPlane["cluster"]): Promise<void> {
  const file = join(folder, "fill-first-policy.yaml");
  await writeFile(file, policy);
  await kubectl("apply", "-f", file);
  await writeFile(file, snapshot);
  await eventually("the policy is in force", () =>
    kubectl("create", "--dry-run=server", "-f", file).then(
      () => false,
      () => true,
    ),
  );
}

function isBound({ status }: KubernetesObject): boolean {
  return status?.phase === "Bound";
}

async function writeManifest({ cluster }: SmallControlPlane, text: string): Promise<void> {
  const file = join(cluster.folder, "fill-first-place.yaml");
  await writeFile(file, text);
  await cluster.kubectl("--namespace", place, "apply", "-f", file);
  await cluster.kubectl("--namespace", place, "wait", "pvc/bystander", "--for=jsonpath={.status.phase}=Bound");
  await writeFile(join(await claimFolder(cluster, place, "bystander"), "file"), "of somebody else");
}

const claim = (name: string, spec = "") => `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: ${name} }
spec:
  accessModes: [ReadWriteOnce]
  resources: { requests: { storage: 1Mi } }
${spec}`;

const bystander = claim("bystander");

const policy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: no-snapshots-in-fill-first }
spec:
  matchConstraints:
    namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: fill-first } }
    resourceRules:
      - { apiGroups: [snapshot.storage.k8s.io], apiVersions: [v1], resources: [volumesnapshots], operations: [CREATE] }
  validations: [{ expression: "false" }]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: no-snapshots-in-fill-first }
spec: { policyName: no-snapshots-in-fill-first, validationActions: [Deny] }
`;

const snapshot = `
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: { namespace: fill-first, name: refused }
spec: { source: { persistentVolumeClaimName: plain } }
`;

const manifests = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: fill-first-late }
provisioner: dir.csi.test
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: fill-first-stays }
provisioner: dir.csi.test
reclaimPolicy: Retain
---
apiVersion: v1
kind: ResourceQuota
metadata: { name: small }
spec: { hard: { count/persistentvolumeclaims: "3", requests.storage: 3Mi } }
---
${claim("plain")}
---
${claim("late", "  storageClassName: fill-first-late")}
---
${claim("chosen", "  storageClassName: fill-first-stays")}
---
apiVersion: v1
kind: Pod
metadata: { name: reader }
spec:
  containers: [{ name: main, image: registry.example.com/reader, volumeMounts: [{ name: data, mountPath: /data }] }]
  volumes: [{ name: data, persistentVolumeClaim: { claimName: late } }]
`;
