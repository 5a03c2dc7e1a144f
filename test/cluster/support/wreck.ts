import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { apiPath } from "./kubernetes-client.ts";
import { claimFolder } from "./volumes.ts";

const namespaces = ["cdp", "vault-system"];
const pipelines = { apiVersion: "platform.example.com/v1", resource: "pipelines" };
const snapshotContents = { apiVersion: "snapshot.storage.k8s.io/v1", resource: "volumesnapshotcontents" };

const clusterScoped = [
  "crd/pipelines.platform.example.com",
  "clusterrole/cdp:node-viewer",
  "clusterrolebinding/cdp:node-viewer",
  "priorityclass/cdp-critical",
  "validatingwebhookconfiguration/cdp-pipelines",
];

/**
 * A bad upgrade: the namespaces stay, but most of what is in them is deleted or changed, things that were not there appear,
 * and the data is overwritten or gone.
 */
export async function wreckInPlace(cluster: TestCluster): Promise<void> {
  const { kubernetes, kubectl } = cluster;
  for (const [namespace, claim] of [
    ["cdp", "data-cdp-embedded-db-0"],
    ["cdp", "uploads"],
    ["vault-system", "data-vault-0"],
  ] as const)
    await ruin(await claimFolder(cluster, namespace, claim));
  await removeFinalizers(cluster);
  const remove = (namespace: string, ...names: string[]) =>
    kubectl("--namespace", namespace, "delete", "--wait=false", ...names);
  await remove(
    "cdp",
    "statefulset/queue",
    "deployment/portal",
    "daemonset/log-collector",
    "cronjob/new-year",
    "pod/toolbox",
  );
  await remove("cdp", "service/portal", "service/warehouse", "secret/database", "configmap/release", "ingress/portal");
  await remove("cdp", "pipeline/ingest", "role/portal:settings:reader", "hpa/portal", "resourcequota/budget");
  await remove("cdp", "job/schema-migration", "serviceaccount/portal", "persistentvolumeclaim/attic");
  await remove("vault-system", "statefulset/vault", "secret/unseal", "persistentvolumeclaim/data-vault-0");
  await kubectl("delete", "clusterrolebinding/cdp:node-viewer", "priorityclass/cdp-critical");

  await kubernetes.patch(inCdp("configmaps", "v1", "settings"), {
    data: { greeting: "hello", more: "1", empty: null },
  });
  await kubernetes.patch(inCdp("deployments", "apps/v1", "scheduler"), { spec: { replicas: 4 } });
  await kubernetes.patch(inCdp("deployments", "apps/v1", "switched-off"), { spec: { replicas: 1 } });
  await kubernetes.patch(inCdp("cronjobs", "batch/v1", "retired"), { spec: { suspend: false } });
  await kubernetes.patch(apiPath({ apiVersion: "v1", resource: "namespaces" }, undefined, "cdp"), {
    metadata: { labels: { team: "nobody" }, annotations: { "platform.example.com/owner": null } },
  });
  await kubectl("--namespace", "cdp", "create", "configmap", "stray", "--from-literal=a=b");
  await kubectl("--namespace", "cdp", "create", "deployment", "stray", "--image=stray");
  await kubectl("--namespace", "cdp", "expose", "deployment", "stray", "--port=80");
}

/** The whole control plane is gone: its namespaces with every snapshot object in them, and what it had beside them. */
export async function wreckCompletely(cluster: TestCluster): Promise<void> {
  await removeControlPlane(cluster);
}

/** Removes the control plane and every VolumeSnapshotContent, whatever created it; the storage snapshots of retained ones stay. */
export async function removeControlPlane(cluster: TestCluster): Promise<void> {
  const { kubernetes, kubectl } = cluster;
  await removeFinalizers(cluster);
  await removeSlowOnes(cluster);
  await kubectl("delete", "--ignore-not-found", "--wait=false", "namespace", ...namespaces);
  await kubectl("delete", "--ignore-not-found", "--wait=false", ...clusterScoped);
  await eventually(
    "the control plane is gone",
    async () => {
      await removeFinalizers(cluster);
      const there = await kubectl("get", "--ignore-not-found", "--output=name", "namespace", ...namespaces);
      return there === "";
    },
    { timeout: 120_000, interval: 500 },
  );
  await kubernetes.delete(apiPath(snapshotContents));
  await kubernetes.delete(apiPath({ apiVersion: "v1", resource: "persistentvolumes" }));
  await eventually("no snapshot content and no volume is left", async () => {
    const left = await kubectl("get", "volumesnapshotcontents,persistentvolumes", "--output=name");
    return left === "";
  });
}

/** A namespace that finds pods, claims or snapshots in it takes long to be deleted, however soon those go. */
async function removeSlowOnes({ kubectl }: TestCluster): Promise<void> {
  const workloads = "deployments,statefulsets,daemonsets,replicasets,cronjobs,jobs,pods";
  const kinds = `${workloads},volumesnapshots,persistentvolumeclaims`;
  for (const namespace of namespaces) await kubectl("--namespace", namespace, "delete", "--all", "--now", kinds);
}

/** The pipelines' controller is not running, so nothing else removes them. */
async function removeFinalizers({ kubernetes }: TestCluster): Promise<void> {
  for (const { metadata } of await kubernetes.list(apiPath(pipelines, "cdp")))
    if (metadata.finalizers)
      await kubernetes.patch(apiPath(pipelines, "cdp", metadata.name), { metadata: { finalizers: null } });
}

async function ruin(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
  await writeFile(join(folder, "PG_VERSION"), "17\n");
  await writeFile(join(folder, "README_TO_GET_YOUR_FILES_BACK.txt"), "pay\n");
}

function inCdp(resource: string, apiVersion: string, name: string): string {
  return apiPath({ apiVersion, resource }, "cdp", name);
}
