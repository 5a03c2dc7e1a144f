import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildPrograms } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { RealCluster } from "../support/real-node.ts";
import type { S3Server } from "../support/s3-server.ts";
import type { TestService } from "../support/service.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");

export const moverNamespace = "movers";
export const secret = "repository";

export function repositoryIn({ endpoint, bucket }: S3Server, path: string): string {
  return `s3:${endpoint}/${bucket}/${path}`;
}

/** The service's flags to copy into a repository. */
export function copyFlags(repository: string): readonly string[] {
  return [
    "--copies=on",
    `--copies-repository=${repository}`,
    `--copies-secret=${secret}`,
    `--fill-namespace=${moverNamespace}`,
  ];
}

/** The main namespace, and a namespace for movers. */
export async function makeClaims(cluster: RealCluster, s3: S3Server): Promise<void> {
  await cluster.kubectl("create", "namespace", "cdp");
  await makeMoverNamespace(cluster, s3);
}

/** A namespace for movers, with the repository's credentials. */
export async function makeMoverNamespace({ kubectl }: RealCluster, s3: S3Server): Promise<void> {
  await kubectl("create", "namespace", moverNamespace);
  await kubectl("label", "namespace", moverNamespace, "pod-security.kubernetes.io/enforce=baseline");
  const { accessKeyId, secretAccessKey } = s3.credentials;
  await kubectl(
    `--namespace=${moverNamespace}`,
    "create",
    "secret",
    "generic",
    secret,
    `--from-literal=AWS_ACCESS_KEY_ID=${accessKeyId}`,
    `--from-literal=AWS_SECRET_ACCESS_KEY=${secretAccessKey}`,
    "--from-literal=AWS_DEFAULT_REGION=us-east-1",
  );
}

/** Makes a claim and waits until it has its volume. */
export async function makeClaim(
  { kubernetes, kubectl }: RealCluster,
  name: string,
  volumeMode: "Filesystem" | "Block",
  accessMode = "ReadWriteOnce",
): Promise<void> {
  const spec = { accessModes: [accessMode], volumeMode, resources: { requests: { storage: "64Mi" } } };
  const claim = { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name }, spec };
  await kubernetes.request("POST", "/api/v1/namespaces/cdp/persistentvolumeclaims", { body: JSON.stringify(claim) });
  await kubectl("-n", "cdp", "wait", `pvc/${name}`, "--for=jsonpath={.status.phase}=Bound", "--timeout=60s");
}

/** The CRN of a backup's copy, as its log has it. */
export async function copyOf(service: TestService, backupCrn: string): Promise<string> {
  const { logs } = await service.api("getLogs", { crn: backupCrn });
  const crn = /copied to the repository by (\S+)/.exec(logs as string)?.[1];
  if (crn === undefined) throw new Error(`the backup has no copy:\n${logs}`);
  return crn;
}

/** Waits until a job is over and gives its log. */
export function logAtEnd(service: TestService, crn: string, timeout = 240_000): Promise<string> {
  let logs = "";
  return eventually(
    `${crn} is over`,
    async () => {
      ({ logs } = await service.api("getLogs", { crn }));
      return logs.includes("job ended") && logs;
    },
    { timeout, look: () => logs },
  );
}

/** restic by hand, as docs/operations.md has it. */
export class ResticByHand {
  readonly #env: NodeJS.ProcessEnv;
  readonly #bin: string;

  private constructor(bin: string, env: NodeJS.ProcessEnv) {
    this.#bin = bin;
    this.#env = env;
  }

  static async open(s3: S3Server, repository: string, keyFile: string): Promise<ResticByHand> {
    const program = join(root, "server/repository-password.ts");
    const { stdout } = await run(process.execPath, [program, `--encryption-keys=${keyFile}`]);
    const [password = ""] = stdout.split("\n");
    const env = { ...process.env, ...s3.env, RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: password };
    return new ResticByHand(join(await buildPrograms(), "restic"), env);
  }

  async run(...args: readonly string[]): Promise<string> {
    const options = { env: this.#env, maxBuffer: 64 * 1024 * 1024 };
    return (await run(this.#bin, ["--no-cache", ...args], options)).stdout;
  }

  /** Writes a file of a snapshot. */
  async dump(snapshot: string, path: string, file: string): Promise<void> {
    await run("sh", ["-c", '"$1" --no-cache dump "$2" "$3" >"$4"', "sh", this.#bin, snapshot, path, file], {
      env: this.#env,
    });
  }

  /** All of them, or those with a tag. */
  async snapshots(
    tag?: string,
  ): Promise<readonly { readonly id: string; readonly paths: readonly string[]; readonly parent?: string }[]> {
    return JSON.parse(await this.run("snapshots", "--json", ...(tag === undefined ? [] : ["--tag", tag]))) as never;
  }
}

/** Names, types, owners, modes, sizes, links, times, extended attributes and contents of all files below a folder. */
export async function pictureOf(folder: string): Promise<string> {
  const script = `cd "$1" && export LC_ALL=C
    find . -printf '%P\\0%y %U:%G %m %s %n %l %T@\\n' | sort -z
    find . -type f -print0 | sort -z | xargs -0 sha256sum
    getfattr -R -h -d -m '^user' . 2>/dev/null`;
  const { stdout } = await run("sh", ["-c", script, "sh", folder], { maxBuffer: 64 * 1024 * 1024, encoding: "latin1" });
  return stdout;
}

/** Makes a folder, and removes it after the work. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "drs-copies-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
