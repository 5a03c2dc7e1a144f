import { execFile } from "node:child_process";
import { mkdir, mkdtemp, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { KubernetesClient } from "./kubernetes-client.ts";

const run = promisify(execFile);
const programs = join(import.meta.dirname, "../programs");

/** A running cluster of real Kubernetes programs, reached through `kubernetes` or, by others, its `kubeconfig`. */
export interface TestCluster {
  readonly folder: string;
  readonly kubeconfig: string;
  /** The folder driver's own: `volumes/HANDLE` and `snapshots/HANDLE`. */
  readonly storageFolder: string;
  readonly kubernetes: KubernetesClient;
  /** In which commands find kubectl, and it this cluster. */
  readonly environment: NodeJS.ProcessEnv;
  /** Runs kubectl and gives what it printed. */
  readonly kubectl: (...args: string[]) => Promise<string>;
  /** Stops the cluster's programs and deletes its folder. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** One that is not there yet; without it, a new one among the temporary ones. */
  readonly folder?: string;
  /** The process with which the cluster ends. */
  readonly stopWith?: number;
  readonly snapshotsOf?: TestCluster;
  readonly serviceRange?: string;
  readonly driver?: { readonly name: string; readonly storageClass: string; readonly snapshots: boolean };
}

/** Builds the cluster's programs where that was not done yet, saying so as it goes, and gives their folder. */
export async function buildPrograms(): Promise<string> {
  const building = run(join(programs, "build.sh"));
  building.child.stderr?.pipe(process.stderr);
  const { stdout } = await building;
  return stdout.trim();
}

/**
 * Starts a cluster in a new folder on free ports.
 *
 * It is stopped and its folder deleted at `stop`, and also when the process `stopWith`, this one unless given, ends in any other way.
 * With `snapshots` of another cluster's driver the new one finds the same storage snapshots, as a second cluster at one storage system
 * would.
 * `serviceRange` is where services get their addresses from. With a `driver` the storage system is another one: of that name,
 * with a class of that name, and able to make snapshots or in a cluster that does not know any.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "drs-cluster-")));
  if (options.snapshotsOf) {
    await mkdir(join(folder, "csi"), { recursive: true });
    await symlink(join(options.snapshotsOf.storageFolder, "snapshots"), join(folder, "csi/snapshots"));
  }
  const { serviceRange: SERVICE_RANGE, driver } = options;
  const env = {
    ...process.env,
    STOP_WITH: String(options.stopWith ?? process.pid),
    ...(SERVICE_RANGE !== undefined && { SERVICE_RANGE }),
    ...(driver && {
      DRIVER: driver.name,
      STORAGE_CLASS: driver.storageClass,
      SNAPSHOTS: driver.snapshots ? "yes" : "no",
    }),
  };
  try {
    await run(join(programs, "up.sh"), [folder], { env });
  } catch (error) {
    await run(join(programs, "down.sh"), [folder, "--delete"]);
    throw error;
  }
  return openCluster(folder);
}

/** A cluster that another process started in this folder. */
export async function openCluster(folder: string): Promise<TestCluster> {
  const bin = await buildPrograms();
  const kubeconfig = join(folder, "kubeconfig");
  const kubernetes = await KubernetesClient.open(folder);
  const environment = {
    ...process.env,
    PATH: [bin, process.env["PATH"]].join(delimiter),
    KUBECONFIG: kubeconfig,
    KUBECACHEDIR: join(folder, "kubectl"), // the user's remembers the kinds of an earlier cluster on the same ports
  };
  return {
    folder,
    kubeconfig,
    storageFolder: join(folder, "csi"),
    kubernetes,
    environment,
    kubectl: async (...args) => {
      const { stdout } = await run(join(bin, "kubectl"), args, { env: environment });
      return stdout;
    },
    async stop() {
      await kubernetes.close();
      await run(join(programs, "down.sh"), [folder, "--delete"]);
    },
  };
}
