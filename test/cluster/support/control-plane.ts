import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compareObjects } from "./compare.ts";
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { apiPath, type KubernetesObject } from "./kubernetes-client.ts";
import { type ClusterPicture, takePicture } from "./picture.ts";
import { claimFolder, claims, compareVolumes, takeVolumePicture } from "./volumes.ts";
import { removeControlPlane } from "./wreck.ts";

const manifests = join(import.meta.dirname, "../control-plane");
export const namespaces = ["cdp", "vault-system"] as const;
export const pipelines = { apiVersion: "platform.example.com/v1", resource: "pipelines" };
const configMaps = { apiVersion: "v1", resource: "configmaps" };

/** All that a restore must bring back. */
export interface ControlPlanePicture {
  readonly objects: ClusterPicture;
  readonly files: ReadonlyMap<string, string>;
}

/**
 * Creates the control plane of `../control-plane/*.yaml` with files in its volumes, and waits until it has settled. One
 * that is there is removed before.
 */
export async function createControlPlane(cluster: TestCluster): Promise<ControlPlanePicture> {
  await removeControlPlane(cluster);
  await createClusterScoped(cluster);
  for (const file of ["2-accounts-and-settings", "3-workloads", "4-network", "5-vault"])
    await apply(cluster, `${file}.yaml`);
  await ownByPipeline(cluster);
  await rollOut(cluster);
  await waitUntilSettled(cluster);
  await writeFiles(cluster);
  return takeControlPlanePicture(cluster);
}

/** The namespaces, and what the control plane has beside them and its pods cannot do without. */
export async function createClusterScoped(cluster: TestCluster): Promise<void> {
  await apply(cluster, "1-cluster.yaml");
  await cluster.kubectl("wait", "--for=condition=Established", "crd/pipelines.platform.example.com");
}

export async function takeControlPlanePicture(cluster: TestCluster): Promise<ControlPlanePicture> {
  const [objects, files] = await Promise.all([
    takePicture(cluster, namespaces),
    takeVolumePicture(cluster, namespaces),
  ]);
  return { objects, files };
}

/**
 * What differs from the earlier picture, a line each. The cluster's controllers may still be at work (an owner reference, a
 * token), so what is not expected counts when it is still there after a while.
 */
export async function differencesSince(
  before: ControlPlanePicture,
  cluster: TestCluster,
  { patience = 20_000, expected = [] }: { patience?: number; expected?: readonly string[] } = {},
): Promise<readonly string[]> {
  const end = Date.now() + patience;
  for (;;) {
    const after = await takeControlPlanePicture(cluster);
    const lines = [...compareObjects(before.objects, after.objects), ...compareVolumes(before.files, after.files)];
    if (lines.join() === expected.join() || Date.now() > end) return lines;
  }
}

/** The workloads and claims that are not ready this very moment. */
export async function unready(cluster: TestCluster): Promise<readonly string[]> {
  const kinds = new Set(["Deployment", "StatefulSet", "DaemonSet", "PersistentVolumeClaim"]);
  const picture = await takePicture(cluster, namespaces);
  return [...picture].filter(([, object]) => kinds.has(object.kind) && !isSettled(object)).map(([name]) => name);
}

/** Waits until every claim is bound, every workload is ready, and the cluster has written what it writes. */
export async function waitUntilSettled(cluster: TestCluster): Promise<void> {
  let missing: string[] = [];
  await eventually(
    "the control plane settles",
    async () => {
      const picture = await takePicture(cluster, namespaces);
      missing = [...picture].filter(([, object]) => !isSettled(object)).map(([name]) => name);
      return missing.length === 0;
    },
    { timeout: 90_000, look: () => `not settled: ${missing.join(", ")}` },
  );
}

function isSettled(object: KubernetesObject): boolean {
  const { kind, spec, status = {} } = object;
  switch (kind) {
    case "Deployment":
      return (
        status.observedGeneration === object.metadata["generation"] && (status.availableReplicas ?? 0) === spec.replicas
      );
    case "StatefulSet":
      return status.readyReplicas === spec.replicas;
    case "ReplicaSet":
      return status.readyReplicas === spec.replicas;
    case "DaemonSet":
      return status.numberReady === 1;
    case "Pod":
      return status.phase === "Running";
    case "Job":
      return spec.suspend === true || status.succeeded === 1;
    case "PersistentVolumeClaim":
      return status.phase === "Bound" && (!object.metadata.name.includes("queue") || !!object.metadata.ownerReferences);
    case "VolumeSnapshot":
      return status.readyToUse === true;
    case "Secret":
      return object["type"] !== "kubernetes.io/service-account-token" || !!object["data"]?.token;
    case "ResourceQuota":
      return status.used !== undefined;
    default:
      return true;
  }
}

async function apply(cluster: TestCluster, file: string): Promise<void> {
  await cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", join(manifests, file));
}

/** An owner reference needs the owner's uid, which no manifest knows. */
async function ownByPipeline({ kubernetes }: TestCluster): Promise<void> {
  const { apiVersion, kind, metadata } = await kubernetes.get(apiPath(pipelines, "cdp", "ingest"));
  const owner = { apiVersion, kind, name: metadata.name, uid: metadata["uid"], blockOwnerDeletion: false };
  const owned = { metadata: { ownerReferences: [owner] } };
  await kubernetes.patch(apiPath(configMaps, "cdp", "ingest-plan"), owned);
  await kubernetes.patch(apiPath(pipelines, "cdp", "ingest-first-stage"), owned);
}

/** A second revision leaves an old replica set, which the cluster keeps for a roll-back. */
async function rollOut(cluster: TestCluster): Promise<void> {
  await cluster.kubectl("--namespace", "cdp", "set", "env", "deployment/portal", "RELEASE=2");
}

async function writeFiles(cluster: TestCluster): Promise<void> {
  for (const namespace of namespaces)
    for (const { metadata } of await cluster.kubernetes.list(apiPath(claims, namespace)))
      await fill(await claimFolder(cluster, namespace, metadata.name), `${namespace}/${metadata.name}`);
}

/** Files of every sort, which differ from claim to claim. */
async function fill(folder: string, seed: string): Promise<void> {
  await mkdir(join(folder, "base/1/deep/deeper"), { recursive: true });
  await writeFile(join(folder, "PG_VERSION"), `16 ${seed}\n`);
  await writeFile(join(folder, "base/1/1259"), Buffer.from(`\0\xff${seed}\0`.repeat(5_000), "latin1"));
  await writeFile(join(folder, "base/1/deep/deeper/Ünïcode name.txt"), `${seed} 世界\n`);
  await writeFile(join(folder, "empty"), "");
  await mkdir(join(folder, "empty folder"));
  await writeFile(join(folder, "run.sh"), "#!/bin/sh\n");
  await chmod(join(folder, "run.sh"), 0o755);
  await writeFile(join(folder, "private"), seed);
  await chmod(join(folder, "private"), 0o600);
  await symlink("base/1/1259", join(folder, "latest"));
  await symlink("../nowhere", join(folder, "dangling"));
}
