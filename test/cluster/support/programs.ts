import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";

export type Program =
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "snapshot-controller"
  | "csi-snapshotter"
  | "csi-provisioner"
  | "csi-dir";

/** Kills a program of the cluster, as a crash would, and gives what starts it again. */
export async function killProgram(cluster: TestCluster, program: Program): Promise<() => Promise<void>> {
  const pidFile = join(cluster.folder, "pid", program);
  const pid = await pidOf(cluster, program);
  const [command = "", ...args] = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0").slice(0, -1);
  process.kill(pid, "SIGKILL");
  await eventually(`${program} is gone`, async () => !isAlive(pid), { interval: 10 });
  return async () => {
    const log = await open(join(cluster.folder, "log", `${program}.log`), "a");
    const child = spawn(command, args, { cwd: cluster.folder, detached: true, stdio: ["ignore", log.fd, log.fd] });
    await once(child, "spawn");
    child.unref();
    await log.close();
    await writeFile(pidFile, String(child.pid));
    if (program === "kube-apiserver") await apiServerIsReady(cluster);
  };
}

/** Kills the CSI driver with its sidecars, which end without it anyway, and gives what starts them again. */
export async function killDriver(cluster: TestCluster): Promise<() => Promise<void>> {
  const starts: (() => Promise<void>)[] = [];
  for (const program of ["csi-provisioner", "csi-snapshotter", "csi-dir"] as const)
    starts.unshift(await killProgram(cluster, program));
  return async () => {
    for (const start of starts) await start();
  };
}

/** Makes a program of the cluster stand still, so that what is asked of it waits, and gives what lets it go on. */
export async function pauseProgram(cluster: TestCluster, program: Program): Promise<() => void> {
  const pid = await pidOf(cluster, program);
  process.kill(pid, "SIGSTOP");
  return () => process.kill(pid, "SIGCONT");
}

async function pidOf(cluster: TestCluster, program: Program): Promise<number> {
  return Number(await readFile(join(cluster.folder, "pid", program), "utf8"));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function apiServerIsReady({ kubernetes }: TestCluster): Promise<void> {
  await eventually("the API server is ready", () =>
    kubernetes.request("GET", "/readyz").then(
      () => true,
      () => false,
    ),
  );
}
