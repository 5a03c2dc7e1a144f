import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { processMemory } from "../process-memory.ts";

const root = join(import.meta.dirname, "../..");

interface Listening {
  readonly msg: string;
  readonly cleartext?: { readonly port: number };
  readonly tls?: { readonly port: number };
}

/** A server under measurement: a process of its own that logs `listening` with its ports, as the service does. */
export class ServerProcess {
  readonly url: string;
  /** Only where it is set to listen there. */
  readonly tlsUrl: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string, tlsUrl: string) {
    this.#child = child;
    this.url = url;
    this.tlsUrl = tlsUrl;
  }

  /** Starts a program of this project, with what Node is given for it, and waits until it listens on a free port. */
  static async start(program: readonly string[], flags: readonly string[] = []): Promise<ServerProcess> {
    const args = [...program, "--listen=127.0.0.1:0", ...flags];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
    const killWithUs = () => child.kill("SIGKILL");
    process.once("exit", killWithUs);
    child.once("exit", () => process.off("exit", killWithUs));
    for await (const line of createInterface(child.stdout)) {
      const { msg, cleartext, tls } = JSON.parse(line) as Listening;
      if (msg !== "listening") continue;
      // Its further log is thrown away, but read: a full pipe would stop it.
      child.stdout.resume();
      return new ServerProcess(child, `http://127.0.0.1:${cleartext?.port}`, `https://127.0.0.1:${tls?.port}`);
    }
    throw new Error(`${program.join(" ")} ended before it listened`);
  }

  /** Calls a method of the API as JSON. */
  async call(method: string, request: object): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/drscp/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    if (!response.ok) throw new Error(`${method}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** The seconds of CPU that its threads have used. */
  async cpu(): Promise<number> {
    const tasks = `/proc/${this.#child.pid}/task`;
    const times = await Promise.all(
      (await readdir(tasks)).map(async (task) => {
        // The first number is nanoseconds on a CPU: https://docs.kernel.org/scheduler/sched-stats.html
        const [running] = (await readFile(`${tasks}/${task}/schedstat`, "utf8")).split(" ");
        return Number(running) / 1e9;
      }),
    );
    return times.reduce((sum, time) => sum + time, 0);
  }

  /** As `processMemory`. */
  async memory(): Promise<{ readonly now: number; readonly peak: number }> {
    return processMemory(this.#child.pid);
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
  }
}
