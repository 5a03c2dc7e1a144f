import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { documentedCommands, documentedSettings } from "../support/documented-commands.ts";
import { freePort } from "../support/free-port.ts";
import { compareTrees, makeOddFiles, readTree, type Tree } from "../support/odd-files.ts";
import { images, type RealCluster, startRealCluster } from "../support/real-node.ts";
import { type S3Server, startS3Server } from "../support/s3-server.ts";
import { startService, type TestService } from "../support/service.ts";
import { claimFolder } from "../support/volumes.ts";
import { copyFlags, copyOf, logAtEnd, makeClaim, makeClaims, moverNamespace, repositoryIn, secret } from "./scene.ts";

const saved = "dir";
const existing = "other";

describe.skipIf(inject("noRealNode") !== "")("a cluster and its storage system that are lost", () => {
  let cluster: RealCluster;
  let s3: S3Server;
  let lost: TestService;
  /** What was kept. */
  let recovery: string;
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
    recovery = await mkdtemp(join(tmpdir(), "drs-recovery-"));
    await copyFile(join(lost.data, "encryption-keys"), join(recovery, "keys"));
    await lost.stop(); // with its data
    await cluster.stop(); // with the driver's folder
  });

  afterAll(async () => {
    await lost?.stop();
    if (recovery) await rm(recovery, { recursive: true });
    await s3?.stop();
    await cluster?.stop();
  });

  /** Of what was kept, as docs/disaster-recovery.md names it. */
  async function settings(): Promise<Readonly<Record<string, string>>> {
    return {
      DRS_STORAGE: `s3://${s3.bucket}/archives`,
      DRS_S3_ENDPOINT: s3.endpoint,
      DRS_S3_REGION: "us-east-1",
      DRS_S3_ADDRESSING: "path",
      DRS_ENCRYPTION_KEYS: join(recovery, "keys"),
      DRS_COPIES: "on",
      DRS_COPIES_REPOSITORY: repositoryIn(s3, "copies"),
      DRS_COPIES_SECRET: secret,
      DRS_FILL_NAMESPACE: moverNamespace,
      DRS_NAMESPACE: "cdp",
      DRS_VAULT_NAMESPACE: "vault-system",
      DRS_LISTEN: `127.0.0.1:${await freePort()}`,
      ...s3.env,
      AWS_DEFAULT_REGION: "us-east-1",
    };
  }

  test("come back in another cluster of another driver, from the bucket and the key file alone, by the commands of the page", async () => {
    cluster = await startRealCluster({ driver: { name: "other.csi.test", storageClass: existing, snapshots: false } });
    s3 = await s3.move(cluster.address);
    await writeFile(join(recovery, "recovery.env"), await documentedSettings("disaster-recovery.md", await settings()));
    const commands = await documentedCommands("From a bare cluster to a running control plane", "disaster-recovery.md");
    const said = await runByHand(commands, {
      ...cluster.environment,
      RECOVERY: recovery,
      DRS_STORAGE_CLASS_MAP: `${saved}=${existing}`,
    });
    expect(said).toMatch(/"restoreJobState": "COMPLETED",\s*"warnings": \[\],\s*"errors": \[\]/);
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

/** Runs commands as a person does, in the project's folder, and gives what they wrote. What they leave running is ended after them. */
async function runByHand(commands: string, env: NodeJS.ProcessEnv): Promise<string> {
  // As in a terminal: what runs in the background is a job, which ends as a whole.
  const script = `set -m; trap 'kill %1; wait' EXIT\n${commands}`;
  const options = { cwd: join(import.meta.dirname, "../../.."), env, timeout: 240_000 };
  return (await promisify(execFile)("bash", ["-euo", "pipefail", "-c", script], options)).stdout;
}
