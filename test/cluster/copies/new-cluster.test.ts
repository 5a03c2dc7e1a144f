import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { keysOf } from "../support/archives.ts";
import { eventually } from "../support/eventually.ts";
import { compareTrees, makeOddFiles, readTree, type Tree } from "../support/odd-files.ts";
import { images, type RealCluster, startRealCluster } from "../support/real-node.ts";
import { type S3Server, startS3Server } from "../support/s3-server.ts";
import { startService, type TestService } from "../support/service.ts";
import { claimFolder } from "../support/volumes.ts";
import {
  copyFlags,
  copyOf,
  logAtEnd,
  makeClaim,
  makeClaims,
  makeMoverNamespace,
  moverNamespace,
  repositoryIn,
} from "./scene.ts";

const saved = "dir";
const existing = "other";

describe.skipIf(inject("noRealNode") !== "")("a cluster and its storage system that are lost", () => {
  let cluster: RealCluster;
  let s3: S3Server;
  let lost: TestService;
  let service: TestService | undefined;
  let files: Tree;
  let device: Buffer;
  let backupCrn: string;

  beforeAll(async () => {
    cluster = await startRealCluster();
    s3 = await startS3Server(cluster.address);
    await makeClaims(cluster, s3);
    await makeClaim(cluster, "disk", "Block");
    await makeClaim(cluster, "files-store-0", "Filesystem");
    const folder = await claimFolder(cluster, "cdp", "files-store-0");
    await makeOddFiles(folder);
    await writeFile(await claimFolder(cluster, "cdp", "disk"), "at the start of the device", { flag: "r+" });
    await makeStore(cluster, saved);
    await runs(cluster);
    files = await readTree(folder);
    device = await readFile(await claimFolder(cluster, "cdp", "disk"));
    const flags = [...s3.flags("archives"), ...copyFlags(repositoryIn(s3, "copies"))];
    lost = await startService({ cluster, flags, env: s3.env });
    ({ backupCrn } = await lost.api("createBackup"));
    await lost.waitForJob(backupCrn);
    const log = await logAtEnd(lost, await copyOf(lost, backupCrn));
    if (!log.includes("job ended COMPLETED")) throw new Error(`the volumes were not copied:\n${log}`);
    await lost.kill("SIGTERM");
    await cluster.stop(); // with the driver's folder
  });

  afterAll(async () => {
    await service?.stop();
    await lost?.stop();
    await s3?.stop();
    await cluster?.stop();
  });

  test("come back in another cluster of another driver, from the bucket and the key file alone", async () => {
    cluster = await startRealCluster({ driver: { name: "other.csi.test", storageClass: existing, snapshots: false } });
    s3 = await s3.move(cluster.address);
    await makeMoverNamespace(cluster, s3);
    const copies = copyFlags(repositoryIn(s3, "copies"));
    const flags = [...s3.flags("archives"), ...copies, keysOf(lost.data), `--storage-class-map=${saved}=${existing}`];
    service = await startService({ cluster, flags, env: s3.env });
    await eventually("the backup is found", async () =>
      JSON.stringify(await service?.api("listBackups")).includes(backupCrn),
    );
    const { restoreCrn } = await service.api("restoreBackup", { backupCrn });
    const restore = await service.waitForJob(restoreCrn, { timeout: 240_000 });
    expect(restore).toMatchObject({ warnings: [], errors: [] });
    await runs(cluster);
    const folder = await claimFolder(cluster, "cdp", "files-store-0");
    expect(compareTrees(files, await readTree(folder))).toEqual(["socket: missing (socket)"]); // as docs/operations.md has it
    expect((await readFile(await claimFolder(cluster, "cdp", "disk"))).equals(device)).toBe(true);
    const classes =
      "-o=jsonpath={.items[*].spec.storageClassName} {.items[*].spec.volumeClaimTemplates[*].spec.storageClassName}";
    expect(await cluster.kubectl("-n", "cdp", "get", "pvc,statefulsets", classes)).toBe("other other other");
    expect(await cluster.kubectl("get", "storageclasses", "--output=name")).toBe("storageclass.storage.k8s.io/other\n");
    const kinds = "jobs,pods,persistentvolumeclaims,networkpolicies";
    expect(await cluster.kubectl("-n", moverNamespace, "get", kinds, "--output=name")).toBe("");
  });
});

/** A program that has both volumes. */
async function makeStore({ kubernetes }: RealCluster, storageClassName: string): Promise<void> {
  const labels = { app: "store" };
  const container = {
    name: "store",
    image: images.busybox,
    command: ["sleep", "infinity"],
    volumeMounts: [{ name: "files", mountPath: "/files" }],
    volumeDevices: [{ name: "disk", devicePath: "/dev/disk" }],
  };
  const spec = { accessModes: ["ReadWriteOnce"], storageClassName, resources: { requests: { storage: "64Mi" } } };
  await kubernetes.create("/apis/apps/v1/namespaces/cdp/statefulsets", {
    metadata: { name: "store" },
    spec: {
      selector: { matchLabels: labels },
      serviceName: "store",
      template: {
        metadata: { labels },
        spec: {
          containers: [container],
          terminationGracePeriodSeconds: 0,
          volumes: [{ name: "disk", persistentVolumeClaim: { claimName: "disk" } }],
        },
      },
      volumeClaimTemplates: [{ metadata: { name: "files" }, spec }],
    },
  });
}

async function runs({ kubectl }: RealCluster): Promise<void> {
  await kubectl("-n", "cdp", "rollout", "status", "statefulset/store", "--timeout=60s");
}
