import { afterAll, beforeAll, expect, test } from "vitest";
import type { SmallControlPlane } from "../fidelity/support.ts";
import { openBackup } from "../support/archives.ts";
import type { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { KubernetesError } from "../support/kubernetes-client.ts";
import { killProgram, pauseProgram } from "../support/programs.ts";
import { sharedCluster } from "../support/shared-cluster.ts";
import { compactEtcd } from "./etcd.ts";
import { Gateway } from "./gateway.ts";
import { aRunningControlPlane, differencesSince, release, takePictureOf } from "./scene.ts";

/** Of a list, so that a hundred objects are ten pages. */
const pageSize = 10;
const entries = Array.from({ length: 100 }, (_, n) => `entry-${String(n).padStart(3, "0")}`);
let cluster: TestCluster;
let gateway: Gateway;
let plane: SmallControlPlane;

beforeAll(async () => {
  cluster = await sharedCluster();
  gateway = await Gateway.open("faults-expiry", cluster);
  plane = await aRunningControlPlane("faults-expiry", [
    `--kubeconfig=${gateway.kubeconfig}`,
    "--snapshot-timeout=60s",
    "--apps-start-timeout=60s",
  ]);
});

afterAll(async () => {
  await plane?.remove();
  gateway?.close();
});

test("a backup whose list has expired halfway holds every object once", async () => {
  await plane.create(entries.map((name) => manifest(name)).join("---"));
  const configMaps = plane.path("v1/configmaps");
  let pages = 0;
  gateway.onRequest = async (path) => {
    if (!path.startsWith(`${configMaps}?limit=`)) return path;
    const small = path.replace(/limit=\d+/, `limit=${pageSize}`);
    if (++pages === 4) await expire(small);
    return small;
  };
  await plane.backUp();
  expect(gateway.expired).toEqual([expect.stringContaining(`${configMaps}?limit=${pageSize}&continue=`)]);
  expect(await archivedEntries()).toEqual([...entries, "entry-100"]);
});

/** Lets a page of a list expire; meanwhile an object that the list has passed goes, and one comes that it will meet. */
async function expire(page: string): Promise<void> {
  await plane.kubectl("delete", "configmap", entries[1]!);
  await plane.create(manifest("entry-100"));
  await compactEtcd(cluster);
  await eventually("the page has expired", async () =>
    cluster.kubernetes.request("GET", page).then(
      () => false,
      (error: unknown) => error instanceof KubernetesError && error.status === 410,
    ),
  );
}

test("a backup whose watch has expired looks again, and completes", async () => {
  const saved = await takePictureOf(plane);
  const watches: string[] = [];
  gateway.onRequest = (path) => {
    if (isWatch(path)) watches.push(path);
    return path;
  };
  const goOn = await pauseProgram(cluster, "csi-snapshotter");
  const { backupCrn } = await plane.service.api("createBackup");
  await eventually("the backup watches", async () => watches.length > 0);
  await plane.patch("v1/configmaps", entries[0]!, { data: { later: "than the watch" } });
  await plane.patch("v1/configmaps", entries[0]!, { data: { later: null } });
  const start = await killProgram(cluster, "kube-apiserver");
  await start(); // and its cache begins here
  await eventually("a watch has expired", async () => gateway.expired.some(isWatch));
  goOn();

  const { warnings, errors } = await plane.service.waitForJob(backupCrn);
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });
  await release(plane, 2);
  plane.backupCrn = backupCrn;
  await plane.restore();
  expect(await differencesSince(saved, plane)).toEqual([]);
});

function isWatch(path: string): boolean {
  return path.includes("/volumesnapshots?watch=true");
}

function manifest(name: string): string {
  return `
apiVersion: v1
kind: ConfigMap
metadata: { name: ${name} }
`;
}

/** The names of those config maps in the latest backup, as often as they are in it. */
async function archivedEntries(): Promise<readonly string[]> {
  const { signal } = new AbortController();
  const reader = await openBackup(plane.service.data, plane.backupCrn);
  const names: string[] = [];
  for (const part of reader.parts)
    for await (const object of reader.objects(part, signal)) names.push(JSON.parse(object.toString()).metadata.name);
  return names.filter((name) => name.startsWith("entry-")).sort();
}
