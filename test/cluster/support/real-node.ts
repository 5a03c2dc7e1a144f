import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ClusterOptions, startCluster, type TestCluster } from "./cluster.ts";

const run = promisify(execFile);
const programs = join(import.meta.dirname, "../programs");

/** A cluster whose one node runs pods: containerd, runc and a kubelet on this machine. */
export interface RealCluster extends TestCluster {
  /** This machine's address as pods see it. They reach nothing else. */
  readonly address: string;
}

/** What the node has; no registry is reached. The second is in the name of restic's own and, for what is needed here, like it. */
export const images = {
  busybox: "docker.io/local/busybox:1",
  restic: "docker.io/restic/restic:0.18.1",
} as const;

/** In a line why this machine cannot run the node; undefined where it can. */
export async function whyNoRealNode(): Promise<string | undefined> {
  const { stdout } = await run(join(programs, "node-check.sh"));
  return stdout.trim() || undefined;
}

/** `startCluster`, with a node that runs pods. `stop` takes away what the node made on this machine, as does the end of this process. */
export async function startRealCluster(options: ClusterOptions = {}): Promise<RealCluster> {
  const cluster = await startCluster(options);
  try {
    return { ...cluster, address: await startRealNode(cluster) };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/**
 * Starts the cluster's real node, instead of the simulated one, and gives this machine's address as pods see it. Started once more it
 * is as after a loss of power: what ran is gone, and the kubelet begins again with the pods that are meant to run.
 */
export async function startRealNode({ folder }: TestCluster): Promise<string> {
  const { stdout } = await run(join(programs, "node-up.sh"), [folder]);
  return stdout.trim();
}

/** Stops the node as a loss of power would: the API server only learns of it by the node's silence. */
export async function stopRealNode({ folder }: TestCluster): Promise<void> {
  await run(join(programs, "node-down.sh"), [folder]);
}
