import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Simulator, startSimulator } from "../../simulator/simulator.ts";
import { eventually } from "../cluster/support/eventually.ts";
import { kubeconfig } from "../support/kubeconfig.ts";
import { ServiceProcess } from "../support/service-process.ts";
import { certificate } from "../support/test-server.ts";
import { Connections } from "./connections.ts";
import { Inspector } from "./inspector.ts";

/**
 * The service in a process of its own, with connections to it and a look at its memory. Its cluster is simulated in this
 * process: a cluster holds what backups leave in it.
 */
export class FuzzedService {
  readonly #cluster: Simulator;
  readonly #folder: string;
  readonly #process: ServiceProcess;
  readonly #inspector: Inspector;
  readonly cleartext: Connections;
  /** Only where `--tls-listen` is among the flags. */
  readonly tls: Connections;

  private constructor(cluster: Simulator, folder: string, process: ServiceProcess, inspector: Inspector) {
    this.#cluster = cluster;
    this.#folder = folder;
    this.#process = process;
    this.#inspector = inspector;
    this.cleartext = new Connections(process.port);
    this.tls = new Connections(process.tlsPort, certificate);
  }

  static async start(flags: readonly string[]): Promise<FuzzedService> {
    const cluster = await startSimulator({ sample: true });
    const folder = await mkdtemp(join(tmpdir(), "drs-fuzz-"));
    const file = join(folder, "kubeconfig");
    await writeFile(file, JSON.stringify(kubeconfig(cluster.url)));
    const process = await ServiceProcess.start(["--cluster=auto", `--kubeconfig=${file}`, ...flags], {
      nodeFlags: ["--inspect=127.0.0.1:0"],
      env: { DRS_MAX_REQUESTS_PER_SECOND: "100000" }, // or most would be refused unread
    });
    return new FuzzedService(cluster, folder, process, await Inspector.open(process.inspector ?? ""));
  }

  get isAlive(): boolean {
    return this.#process.isAlive;
  }

  /** The lines of its log that report a fault of its own. */
  get faults(): readonly string[] {
    return this.#process.faults;
  }

  /** What the process holds in memory, in bytes. */
  async memory(): Promise<number> {
    const status = await readFile(`/proc/${this.#process.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
  }

  /** What of it is no garbage, in bytes. */
  liveMemory(): Promise<number> {
    return this.#inspector.liveMemory();
  }

  /** Calls a method as JSON, with these headers. */
  // oxlint-disable-next-line typescript/no-explicit-any -- the tests look into the answers
  async api(method: string, body: object = {}, headers: Readonly<Record<string, string>> = {}): Promise<any> {
    const answer = await this.cleartext.send({
      http: 1,
      method: "POST",
      path: `/api/v1/drscp/${method}`,
      headers: { "content-type": "application/json", ...headers },
      body: Buffer.from(JSON.stringify(body)),
    });
    if (answer.status !== 200) throw new Error(`${method}: ${answer.status} ${answer.body.toString()}`);
    return JSON.parse(answer.body.toString());
  }

  /** Makes a backup for requests to ask for, and gives its CRN when it is done. */
  async makeBackup(headers: (method: string) => Readonly<Record<string, string>> = () => ({})): Promise<string> {
    const { backupCrn } = await this.api("createBackup", { backupName: "fuzzed" }, headers("createBackup"));
    await eventually("the backup is made", async () => {
      const { backup } = await this.api("describeBackup", { backupCrn }, headers("describeBackup"));
      return backup.backupPhase === "FINISHED";
    });
    return backupCrn;
  }

  async stop(): Promise<void> {
    this.cleartext.close();
    this.tls.close();
    this.#inspector.close();
    await this.#process.stop();
    await this.#cluster.close();
    await rm(this.#folder, { recursive: true });
  }
}
