import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startArguments } from "./start-arguments.ts";

const root = join(import.meta.dirname, "../..");
/** Of pino: https://getpino.io/#/docs/api?id=level-string */
const errorLevel = 50;

interface Listening {
  readonly cleartext?: { readonly port: number };
  readonly tls?: { readonly port: number };
}

interface Output {
  readonly faults: string[];
  inspector: string | undefined;
}

export interface ProcessOptions {
  /** Given to Node in front of what `npm start` gives it. */
  readonly nodeFlags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The service as `npm start` starts it, in a process of its own, on a simulated cluster unless its flags name another. */
export class ServiceProcess {
  readonly #child: ChildProcess;
  readonly #folder: string;
  /** In clear text and over TLS; 0 where it does not listen. */
  readonly port: number;
  readonly tlsPort: number;
  /** The lines of its log that report a fault of its own, and everything else it or Node writes. */
  readonly faults: readonly string[];
  /** Where Node's inspector listens, where `nodeFlags` ask for it. */
  readonly inspector: string | undefined;

  private constructor(child: ChildProcess, folder: string, { cleartext, tls }: Listening, output: Output) {
    this.#child = child;
    this.#folder = folder;
    this.port = cleartext?.port ?? 0;
    this.tlsPort = tls?.port ?? 0;
    this.faults = output.faults;
    this.inspector = output.inspector;
  }

  /** Starts it with these flags, in clear text on a free port unless they say otherwise, and waits until it listens. */
  static async start(flags: readonly string[], { nodeFlags = [], env }: ProcessOptions = {}): Promise<ServiceProcess> {
    const folder = await mkdtemp(join(tmpdir(), "drs-process-"));
    const own = ["--listen=127.0.0.1:0", "--cluster=simulated", `--data=${folder}`];
    const child = spawn(process.execPath, [...nodeFlags, ...startArguments, ...own, ...flags], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const killWithUs = () => child.kill("SIGKILL");
    process.once("exit", killWithUs);
    child.once("exit", () => process.off("exit", killWithUs));
    const output: Output = { faults: [], inspector: undefined };
    createInterface(child.stderr).on("line", (line) => {
      output.inspector ??= /^Debugger listening on (ws:.*)/.exec(line)?.[1];
      if (!/^(Debugger |For help, see: https:)/.test(line)) output.faults.push(line);
    });
    const listening = await new Promise<Listening>((resolve, reject) => {
      createInterface(child.stdout).on("line", (line) => {
        const { level, msg, ...fields } = JSON.parse(line) as Listening & { level: number; msg: string };
        if (msg === "listening") resolve(fields);
        if (level >= errorLevel) output.faults.push(line);
      });
      child.once("close", () => reject(new Error(`the service ended at once: ${output.faults.join("\n")}`)));
    });
    return new ServiceProcess(child, folder, listening, output);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async stop(): Promise<void> {
    if (this.isAlive) {
      this.#child.kill("SIGKILL");
      await once(this.#child, "exit");
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
