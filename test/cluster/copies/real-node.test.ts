import { readFile, stat } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { apiPath } from "../support/kubernetes-client.ts";
import { compareTrees, makeOddFiles, readTree } from "../support/odd-files.ts";
import { images, type RealCluster, startRealCluster, startRealNode, stopRealNode } from "../support/real-node.ts";
import { type ResticPod, runRestic } from "../support/run-pod.ts";
import { type S3Server, startS3Server } from "../support/s3-server.ts";
import { claimFolder, claims } from "../support/volumes.ts";

const namespace = "mover";
const snapshots = { apiVersion: "snapshot.storage.k8s.io/v1", resource: "volumesnapshots" };
const pods = { apiVersion: "v1", resource: "pods" };
/** Bytes: at the beginning, within and at the end of a device of 32 MiB. */
const written = { text: "at the beginning", middle: 20 * 2 ** 20, size: 32 * 2 ** 20 };
const capabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP"];

let cluster: RealCluster;
let s3: S3Server;

describe.skipIf(inject("noRealNode") !== "")("a node that runs pods", () => {
  beforeAll(async () => {
    cluster = await startRealCluster();
    s3 = await startS3Server(cluster.address);
    await cluster.kubernetes.create("/api/v1/namespaces", {
      metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "baseline" } },
    });
    await cluster.kubernetes.create(`/api/v1/namespaces/${namespace}/secrets`, {
      metadata: { name: "repository" },
      stringData: {
        ...s3.env,
        RESTIC_REPOSITORY: `s3:${s3.endpoint}/${s3.bucket}/copies`,
        RESTIC_PASSWORD: "the repository's password",
      },
    });
    await claim("files", {});
    await claim("device", { volumeMode: "Block" });
    await makeOddFiles(await folderOf("files"));
    await anApplication();
    await snapshot("files");
    await snapshot("device");
    await claim("files-copy", from("files"));
    await claim("device-copy", { ...from("device"), volumeMode: "Block" });
  });

  afterAll(async () => {
    await s3?.stop();
    await cluster?.stop();
  });

  test("a pod's files and bytes are in its claims' volumes", async () => {
    expect(await readFile(`${await folderOf("files")}/tree/of-the-pod`, "utf8")).toBe("from a pod\n");
    const device = await readFile(await folderOf("device"));
    expect(device).toHaveLength(written.size);
    expect(device.toString("latin1", 0, written.text.length)).toBe(written.text);
    expect(device.subarray(written.middle, written.middle + 3 * 2 ** 20).some((byte) => byte !== 0)).toBe(true);
  });

  test("restic makes its repository on the S3 server, and says by its exit code that there is none before", async () => {
    expect(await restic({ name: "early", args: ["cat", "config"] })).toMatchObject({ exitCode: 10 });
    expect(await restic({ name: "init", args: ["init"] })).toMatchObject({ exitCode: 0 });
    const command = ["sh", "-c", "RESTIC_PASSWORD=another restic cat config"];
    expect(await restic({ name: "stranger", command })).toMatchObject({ exitCode: 12 });
  });

  test("a read-only claim made of a snapshot cannot be written to", async () => {
    const { log } = await restic({
      name: "writing",
      claim: { name: "files-copy", readOnly: true },
      command: ["sh", "-c", "touch /data/new 2>&1"],
    });
    expect(log).toContain("Read-only file system");
    const block = { name: "device-copy", block: true, readOnly: true };
    const refused = await restic({ name: "writing", claim: block, command: ["sh", "-c", "echo >/dev/data"] });
    expect(refused.exitCode).not.toBe(0);
  });

  test("files come back from the bucket as they were, but for sockets, which restic leaves out", async () => {
    const source = { name: "files-copy", readOnly: true };
    const saved = await restic({
      name: "save",
      claim: source,
      args: ["backup", "/data", "--tag", "files"],
      capabilities: ["DAC_OVERRIDE"],
    });
    expect(saved).toMatchObject({ exitCode: 0 });

    await claim("files-back", {});
    const restored = await restic({
      name: "restore",
      claim: { name: "files-back" },
      args: ["restore", "latest", "--tag", "files", "--target", "/", "--sparse", "--verify"],
      capabilities,
    });
    expect(restored).toMatchObject({ exitCode: 0 });
    const [before, after] = [
      await readTree(await folderOf("files-copy")),
      await readTree(await folderOf("files-back")),
    ];
    expect(compareTrees(before, after)).toEqual(["socket: missing (socket)"]);
    expect(before.get("setgid")?.["mode"]).toBe("2755");
  });

  test("files of others are not read without the right to, which restic says by its exit code", async () => {
    const { exitCode, log } = await restic({
      name: "without-rights",
      claim: { name: "files-copy", readOnly: true },
      args: ["backup", "/data", "--tag", "partial"],
    });
    expect(exitCode).toBe(3);
    expect(log).toContain("permission denied");
  });

  test("a device's bytes come back from the bucket, and its zeros cost nothing there", async () => {
    const read = ["--stdin-filename", "/device", "--stdin-from-command", "--", "cat", "/dev/data"];
    const saved = await restic({
      name: "save-device",
      claim: { name: "device-copy", block: true, readOnly: true },
      args: ["backup", "--json", "--tag", "device", ...read],
    });
    expect(saved).toMatchObject({ exitCode: 0 });
    const summary = JSON.parse(saved.log.trim().split("\n").at(-1) ?? "") as Record<string, number>;
    expect(summary).toMatchObject({ message_type: "summary", total_bytes_processed: written.size });
    expect(summary["data_added_packed"]).toBeLessThan(4 * 2 ** 20);

    await claim("device-back", { volumeMode: "Block" });
    const restored = await restic({
      name: "restore-device",
      claim: { name: "device-back", block: true },
      args: ["dump", "latest", "/device", "--tag", "device", "--target", "/dev/data"],
    });
    expect(restored).toMatchObject({ exitCode: 0 });
    const [before, after] = [
      await readFile(await folderOf("device-copy")),
      await readFile(await folderOf("device-back")),
    ];
    expect(after.equals(before)).toBe(true);
  });

  test("a node that lost its power runs its pods again when it is back", async () => {
    const started = async () => (await cluster.kubernetes.get(apiPath(pods, namespace, "application")))["status"];
    const before = (await started()).containerStatuses[0].containerID as string;
    await stopRealNode(cluster);
    await startRealNode(cluster);
    await eventually("the application runs again", async () => {
      const [status] = (await started()).containerStatuses;
      return status.ready && status.containerID !== before;
    });
    expect((await stat(await folderOf("device"))).size).toBe(written.size);
  });
});

/** Writes into both volumes, and goes on holding them. */
async function anApplication(): Promise<void> {
  const script = `echo from a pod >/data/tree/of-the-pod
    printf '${written.text}' >/dev/data
    dd if=/dev/urandom of=/dev/data bs=1M seek=20 count=3 conv=notrunc && sync
    touch /ready; exec sleep 3600`;
  await cluster.kubernetes.create(apiPath(pods, namespace), {
    metadata: { name: "application" },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: "application",
          image: images.busybox,
          command: ["sh", "-ec", script],
          readinessProbe: { exec: { command: ["test", "-f", "/ready"] }, periodSeconds: 1 },
          volumeMounts: [{ name: "files", mountPath: "/data" }],
          volumeDevices: [{ name: "device", devicePath: "/dev/data" }],
        },
      ],
      volumes: [
        { name: "files", persistentVolumeClaim: { claimName: "files" } },
        { name: "device", persistentVolumeClaim: { claimName: "device" } },
      ],
    },
  });
  await cluster.kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/application", "--timeout=60s");
}

async function restic(pod: Omit<ResticPod, "namespace" | "secret">): ReturnType<typeof runRestic> {
  return runRestic(cluster, { ...pod, namespace, secret: "repository" });
}

function from(source: string): object {
  return {
    accessModes: ["ReadOnlyMany"],
    dataSource: { apiGroup: "snapshot.storage.k8s.io", kind: "VolumeSnapshot", name: source },
  };
}

async function claim(name: string, spec: object): Promise<void> {
  await cluster.kubernetes.create(apiPath(claims, namespace), {
    metadata: { name },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "32Mi" } }, ...spec },
  });
  const path = apiPath(claims, namespace, name);
  await eventually(
    `claim ${name} is bound`,
    async () => (await cluster.kubernetes.get(path))["status"].phase === "Bound",
  );
}

async function snapshot(name: string): Promise<void> {
  await cluster.kubernetes.create(apiPath(snapshots, namespace), {
    apiVersion: snapshots.apiVersion,
    kind: "VolumeSnapshot",
    metadata: { name },
    spec: { volumeSnapshotClassName: "dir", source: { persistentVolumeClaimName: name } },
  });
  const path = apiPath(snapshots, namespace, name);
  await eventually(`snapshot ${name} is ready`, async () => (await cluster.kubernetes.get(path))["status"]?.readyToUse);
}

async function folderOf(name: string): Promise<string> {
  return claimFolder(cluster, namespace, name);
}
