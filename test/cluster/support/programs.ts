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
  | "csi-dir"
  | "containerd"
  | "kubelet";

/** Kills a program of the cluster, as a crash would, and gives what starts it again. */
export async function killProgram(cluster: TestCluster, program: Program): Promise<() => Promise<void>> {
  const pidFile = join(cluster.folder, "pid", program);
  const pid = await pidOf(cluster, program);
  const [command = "", ...args] = await commandOf(cluster, program);
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

/** Milliseconds: of each second a slow program runs for a fifth. */
const [standing, running] = [800, 200];

/** Makes a program of the cluster slow, so that each second it stands still for the most part, and gives what ends that. */
export async function slowProgram(cluster: TestCluster, program: Program): Promise<() => void> {
  const pid = await pidOf(cluster, program);
  let timer: NodeJS.Timeout;
  const stand = () => {
    process.kill(pid, "SIGSTOP");
    timer = setTimeout(run, standing);
  };
  const run = () => {
    process.kill(pid, "SIGCONT");
    timer = setTimeout(stand, running);
  };
  stand();
  return () => {
    clearTimeout(timer);
    process.kill(pid, "SIGCONT");
  };
}

/** A running program's path and arguments. */
export async function commandOf(cluster: TestCluster, program: Program): Promise<readonly string[]> {
  const pid = await pidOf(cluster, program);
  return (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0").slice(0, -1);
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
