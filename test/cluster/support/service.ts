import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { startArguments } from "../../support/start-arguments.ts";
import { freePort } from "./free-port.ts";

const root = join(import.meta.dirname, "../../..");

/** What `describeBackup` and `describeRestore` say, as far as tests look at it. */
export interface JobView {
  readonly backupCrn: string;
  readonly restoreCrn?: string;
  readonly backupName?: string;
  readonly backupJobState?: string;
  readonly restoreJobState?: string;
  readonly backupPhase?: string;
  readonly restorePhase?: string;
  readonly includedNamespaces: readonly string[];
  readonly warnings: readonly unknown[];
  readonly errors: readonly unknown[];
}

/** The service as its users run it: a process of its own, reached over HTTP. */
export interface TestService {
  readonly url: string;
  readonly pid: number;
  /** Holds the database, and the archives unless they are stored elsewhere. */
  readonly data: string;
  /** Posts to a method of the API; an answer that is no success throws `ApiError`. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into every answer
  api(method: string, body?: object): Promise<any>;
  /**
   * Waits until a backup or restore is FINISHED and describes it. When it is not in time, or ends in another state than the
   * awaited one, the error shows its messages and its log.
   */
  waitForJob(crn: string, options?: WaitOptions): Promise<JobView>;
  /** Waits until a deleted backup is gone. */
  waitUntilDeleted(backupCrn: string): Promise<void>;
  /** What the process wrote so far. */
  output(): string;
  /** Whether it answers requests. */
  answers(): Promise<boolean>;
  /** Resolves when the process has ended, with the signal that ended it, if one did. */
  readonly ended: Promise<NodeJS.Signals | null>;
  /** Sends a signal and waits until the process is gone; the data stays. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends the process, gently, and deletes its data. */
  stop(): Promise<void>;
}

interface WaitOptions {
  /** COMPLETED, unless another is expected. */
  readonly state?: string;
  readonly timeout?: number;
}

export interface ServiceOptions {
  readonly cluster: TestCluster;
  /** Of an earlier process, to go on with its database. A new folder when not given. */
  readonly data?: string;
  /** Further flags and environment variables: the storage, time limits. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Its crash points are in its output, and it dies at the one of this name, if there is one. */
  readonly crashAt?: string;
  /** What every call of the tests carries, where the service asks who calls. */
  readonly bearerToken?: string;
}

/** Waits in vain must fail a test soon. */
const timeLimits = [
  "--snapshot-timeout=40s",
  "--pods-stop-timeout=40s",
  "--finalizer-timeout=20s",
  "--apps-start-timeout=60s",
];

/** Starts the service on a cluster, on a free port, and waits until it answers. */
export async function startService(options: ServiceOptions): Promise<TestService> {
  const service = await launchService(options);
  try {
    await eventually("the service answers", () => service.answers(), { timeout: 30_000, look: () => service.output() });
  } catch (error) {
    await service.kill();
    if (options.data === undefined) await rm(service.data, { recursive: true });
    throw error;
  }
  return service;
}

/** Starts the service without waiting for it: one that may die before it answers. */
export async function launchService(options: ServiceOptions): Promise<TestService> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), "drs-data-")));
  const address = `127.0.0.1:${await freePort()}`;
  const flags = [
    `--listen=${address}`,
    `--data=${data}`,
    `--kubeconfig=${options.cluster.kubeconfig}`,
    "--log-level=warn",
    // Some tests look every few milliseconds.
    "--max-requests-per-second=1000",
    ...timeLimits,
  ];
  const program = options.crashAt === undefined ? startArguments : dyingService(options.crashAt);
  const child = spawn(process.execPath, [...program, ...flags, ...(options.flags ?? [])], {
    cwd: root,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (output += bytes.toString()));
  const killWithUs = () => child.kill("SIGKILL");
  process.once("exit", killWithUs);
  child.once("exit", () => process.off("exit", killWithUs));

  return new RunningService(`http://${address}`, data, child, () => output, options.bearerToken);
}

function dyingService(crashAt: string): readonly string[] {
  return [...startArguments.slice(0, -1), join(import.meta.dirname, "dying-service.ts"), crashAt];
}

/** An answer that is no success: the HTTP status and the body's code. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

class RunningService implements TestService {
  readonly url: string;
  readonly pid: number;
  readonly data: string;
  readonly output: () => string;
  readonly ended: Promise<NodeJS.Signals | null>;
  readonly #child: ChildProcess;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, data: string, child: ChildProcess, output: () => string, token: string | undefined) {
    this.#headers = {
      "content-type": "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    this.url = url;
    this.pid = child.pid ?? 0;
    this.data = data;
    this.#child = child;
    this.output = output;
    this.ended = new Promise((resolve) => {
      child.once("exit", (_code, signal) => resolve(signal));
    });
  }

  async answers(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`the service ended at once:\n${this.output()}`);
    return this.api("listBackups").then(
      () => true,
      () => false,
    );
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- as in the interface
  async api(method: string, body: object = {}): Promise<any> {
    const response = await fetch(`${this.url}/api/v1/drscp/${method}`, {
      method: "POST",
      headers: this.#headers,
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    const { code } = JSON.parse(text) as { code: string };
    throw new ApiError(response.status, code, `${method}: ${response.status} ${text}`);
  }

  async waitForJob(crn: string, { state = "COMPLETED", timeout = 120_000 }: WaitOptions = {}): Promise<JobView> {
    const job = await eventually(
      `${crn} finishes`,
      async () => {
        const view = await this.#describe(crn);
        return (view.backupPhase ?? view.restorePhase) === "FINISHED" && view;
      },
      { timeout, look: () => this.#report(crn) },
    );
    if ((job.backupJobState ?? job.restoreJobState) !== state)
      throw new Error(`${crn} is not ${state}:\n${await this.#report(crn)}`);
    return job;
  }

  async waitUntilDeleted(backupCrn: string): Promise<void> {
    await eventually(
      `${backupCrn} is deleted`,
      () =>
        this.api("describeBackup", { backupCrn }).then(
          () => false,
          (error: unknown) => error instanceof ApiError && error.code === "NOT_FOUND",
        ),
      { timeout: 60_000, look: () => this.output() },
    );
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await once(this.#child, "exit");
  }

  async stop(): Promise<void> {
    const slow = setTimeout(() => this.#child.kill("SIGKILL"), 20_000);
    await this.kill("SIGTERM");
    clearTimeout(slow);
    await rm(this.data, { recursive: true, force: true });
  }

  async #describe(crn: string): Promise<JobView> {
    if (crn.includes(":restore:")) return (await this.api("describeRestore", { restoreCrn: crn })).restore;
    return (await this.api("describeBackup", { backupCrn: crn })).backup;
  }

  async #report(crn: string): Promise<string> {
    const [job, { logs }] = await Promise.all([this.#describe(crn), this.api("getLogs", { crn })]);
    return `${JSON.stringify(job, null, 2)}\n${logs}\nThe service's own output:\n${this.output().slice(-5_000)}`;
  }
}
