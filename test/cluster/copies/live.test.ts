import { execFile } from "node:child_process";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { uuidOf } from "../../../engine/crn.ts";
import { eventually } from "../support/eventually.ts";
import { images, type RealCluster, startRealCluster } from "../support/real-node.ts";
import { type S3Server, startS3Server } from "../support/s3-server.ts";
import { startService, type TestService } from "../support/service.ts";
import { claimFolder } from "../support/volumes.ts";
import {
  copyFlags,
  copyOf,
  inFolder,
  logAtEnd,
  makeClaim,
  makeClaims,
  moverNamespace,
  pictureOf,
  repositoryIn,
  ResticByHand,
} from "./scene.ts";

const run = promisify(execFile);
/** The group that the application's pod gives its volumes. */
const fsGroup = 2_000;

describe.skipIf(inject("noRealNode") !== "")("volumes that no snapshot can hold", () => {
  let cluster: RealCluster;
  let s3: S3Server;
  let service: TestService;
  let restic: ResticByHand;
  let backupCrn: string;
  let share: string;
  let before: { readonly [claim: string]: string };
  let device: Buffer;

  beforeAll(async () => {
    cluster = await startRealCluster();
    s3 = await startS3Server(cluster.address);
    await makeClaims(cluster, s3);
    await cluster.kubectl("delete", "volumesnapshotclasses", "--all");
    await makeClaim(cluster, "files", "Filesystem");
    await makeClaim(cluster, "many", "Filesystem", "ReadWriteMany");
    await makeClaim(cluster, "disk", "Block");
    share = join(cluster.folder, "share");
    await aShare();
    await run(join(import.meta.dirname, "odd-files.sh"), [await claimFolder(cluster, "cdp", "files")]);
    await writeFile(join(await claimFolder(cluster, "cdp", "many"), "file"), "of many");
    await writeFile(join(share, "file"), "at the backup");
    await writeFile(await claimFolder(cluster, "cdp", "disk"), "at the start of the device", { flag: "r+" });
    await anApplication();
    before = { files: await picture("files"), many: await picture("many") };
    device = await readFile(await claimFolder(cluster, "cdp", "disk"));
    const repository = repositoryIn(s3, "copies");
    service = await startService({ cluster, flags: [...copyFlags(repository), "--copy-live=on"] });
    restic = await ResticByHand.open(s3, repository, join(service.data, "encryption-keys"));
  });

  afterAll(async () => {
    await service?.stop();
    await s3?.stop();
    await cluster?.stop();
  });

  async function picture(claim: string): Promise<string> {
    return pictureOf(await claimFolder(cluster, "cdp", claim));
  }

  /** A claim on a volume made by hand, as one of a network share is, that pods on all nodes can use. */
  async function aShare(): Promise<void> {
    await mkdir(share);
    const capacity = { storage: "64Mi" };
    const accessModes = ["ReadWriteMany"];
    await cluster.kubernetes.create("/api/v1/persistentvolumes", {
      metadata: { name: "share" },
      spec: { capacity, accessModes, storageClassName: "", hostPath: { path: share } },
    });
    await cluster.kubernetes.create("/api/v1/namespaces/cdp/persistentvolumeclaims", {
      metadata: { name: "share" },
      spec: { accessModes, storageClassName: "", volumeName: "share", resources: { requests: capacity } },
    });
  }

  /** A pod that uses all claims, with a group of their own, and writes on and on into the share. */
  async function anApplication(): Promise<void> {
    const claims = ["files", "many", "share", "disk"];
    const script = "while sleep 0.2; do echo on >>/share/running; done";
    await cluster.kubernetes.create("/apis/apps/v1/namespaces/cdp/deployments", {
      metadata: { name: "application" },
      spec: {
        selector: { matchLabels: { app: "application" } },
        template: {
          metadata: { labels: { app: "application" } },
          spec: {
            terminationGracePeriodSeconds: 0,
            securityContext: { fsGroup },
            containers: [
              {
                name: "application",
                image: images.busybox,
                command: ["sh", "-ec", script],
                volumeMounts: claims.slice(0, 3).map((name) => ({ name, mountPath: `/${name}` })),
                volumeDevices: [{ name: "disk", devicePath: "/dev/data" }],
              },
            ],
            volumes: claims.map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
          },
        },
      },
    });
    await cluster.kubectl("-n", "cdp", "rollout", "status", "deployment/application", "--timeout=60s");
  }

  async function pods(): Promise<string> {
    const columns = "custom-columns=N:.metadata.name,R:.status.containerStatuses[0].restartCount,P:.status.phase";
    return cluster.kubectl("-n", "cdp", "get", "pods", "--no-headers", "--output", columns);
  }

  test("they are copied while a pod uses them, which does not notice, and nothing that it took stays", async () => {
    const running = await pods();
    const volumes = await cluster.kubectl("get", "persistentvolumes", "--output=name");
    ({ backupCrn } = await service.api("createBackup"));
    const { warnings } = await service.waitForJob(backupCrn, { state: "PARTIALLY_FAILED" });
    expect(JSON.stringify(warnings)).toMatch(/claim files is in no snapshot, but copied .* not of one moment/);
    const log = await logAtEnd(service, await copyOf(service, backupCrn));
    expect(log).toContain("job ended COMPLETED");
    expect(log.match(/copied claim cdp\/\w+, while applications could write/g)).toHaveLength(4);
    const [, bytes, added] = /copied claim cdp\/disk,.* (\d+) bytes, of which (\d+) were new/.exec(log) ?? [];
    expect(Number(bytes)).toBe(device.length);
    expect(Number(added)).toBeLessThan(100_000); // all but its start is zeros
    const snapshots = await restic.snapshots(`drs-backup:${uuidOf(backupCrn)}`);
    const ids = new Map(snapshots.map(({ id, paths: [path = ""] }) => [path, id]));
    await inFolder(async (folder) => {
      for (const claim of ["files", "many", "share"])
        await restic.run("restore", ids.get(`/volumes/cdp/${claim}`) ?? "", "--target", folder, "--sparse");
      const copied = (claim: string) => pictureOf(join(folder, "volumes/cdp", claim));
      expect({ files: await copied("files"), many: await copied("many") }).toEqual(before);
      expect(await readFile(join(folder, "volumes/cdp/share/file"), "utf8")).toBe("at the backup");
      await restic.dump(ids.get("/volumes/cdp/disk") ?? "", "/volumes/cdp/disk", join(folder, "device"));
      expect((await readFile(join(folder, "device"))).equals(device)).toBe(true);
    });
    expect(await pods()).toBe(running);
    const { size } = await stat(join(share, "running"));
    await eventually("the application writes on", async () => (await stat(join(share, "running"))).size > size);
    expect(await cluster.kubectl("get", "persistentvolumes", "--output=name")).toBe(volumes);
    const kinds = "jobs,pods,persistentvolumeclaims,networkpolicies";
    expect(await cluster.kubectl("-n", moverNamespace, "get", kinds, "--output=name")).toBe("");
  });

  test("a restore fills those that were provisioned from their copies, and keeps what is in one made by hand", async () => {
    await rm(join(await claimFolder(cluster, "cdp", "files"), "deep"), { recursive: true });
    await writeFile(join(await claimFolder(cluster, "cdp", "many"), "file"), "since");
    await writeFile(await claimFolder(cluster, "cdp", "disk"), "since", { flag: "r+" });
    await writeFile(join(share, "file"), "since");
    const { restoreCrn } = await service.api("restoreBackup", { backupCrn });
    const { warnings, errors } = await service.waitForJob(restoreCrn, { state: "PARTIALLY_FAILED", timeout: 240_000 });
    expect(errors).toEqual([]);
    expect(JSON.stringify(warnings)).toMatch(/claim share is not filled from its copy/);
    expect({ files: await picture("files"), many: await picture("many") }).toEqual(before);
    expect((await readFile(await claimFolder(cluster, "cdp", "disk"))).equals(device)).toBe(true);
    expect(await readFile(join(share, "file"), "utf8")).toBe("since");
  });
});
