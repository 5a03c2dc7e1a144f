import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { Agent, request as http1Request } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startArguments } from "../support/start-arguments.ts";
import type { Answer } from "./answers.ts";
import type { FuzzRequest } from "./requests.ts";

const root = join(import.meta.dirname, "../..");
/** A request that is not answered by then counts as a fault. */
const patienceMs = 20_000;
/** So much of a request is sent before the service has asked for more: https://www.rfc-editor.org/rfc/rfc9113#section-6.9.2 */
const initialWindow = 65_535;
/** To reset more streams of one connection is taken for an attack: https://nodejs.org/api/http2.html (streamResetBurst) */
const resetsOfSession = 500;
/** Of pino: https://getpino.io/#/docs/api?id=level-string */
const errorLevel = 50;

/** The service as `npm start` starts it, in a process of its own, on the simulated cluster. */
export class FuzzedService {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #port: number;
  /** The lines of its log that tell of a fault of its own. */
  readonly faults: readonly string[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });
  #session: ClientHttp2Session | undefined;
  #resets = 0;

  private constructor(child: ChildProcess, folder: string, port: number, faults: readonly string[]) {
    this.#child = child;
    this.#folder = folder;
    this.#port = port;
    this.faults = faults;
  }

  static async start(flags: readonly string[]): Promise<FuzzedService> {
    const folder = await mkdtemp(join(tmpdir(), "drs-fuzz-"));
    const own = ["--listen=127.0.0.1:0", "--cluster=simulated", `--data=${folder}`];
    const child = spawn(process.execPath, [...startArguments, ...own, ...flags], {
      cwd: root,
      env: { ...process.env, DRS_MAX_REQUESTS_PER_SECOND: "100000" }, // or most would be refused unread
      stdio: ["ignore", "pipe", "inherit"],
    });
    const killWithUs = () => child.kill("SIGKILL");
    process.once("exit", killWithUs);
    child.once("exit", () => process.off("exit", killWithUs));
    const faults: string[] = [];
    const port = await new Promise<number>((resolve, reject) => {
      createInterface(child.stdout).on("line", (line) => {
        const { level, msg, cleartext } = JSON.parse(line) as {
          level: number;
          msg: string;
          cleartext?: { port: number };
        };
        if (msg === "listening" && cleartext) resolve(cleartext.port);
        if (level >= errorLevel) faults.push(line);
      });
      child.once("exit", (code) => reject(new Error(`the service ended at once, with ${code}`)));
    });
    return new FuzzedService(child, folder, port, faults);
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What the process holds in memory, in bytes. */
  async memory(): Promise<number> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
  }

  /** Calls a method as JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- the tests look into the answers
  async api(method: string, body: object = {}): Promise<any> {
    const headers = { "content-type": "application/json" };
    const path = `/api/v1/drscp/${method}`;
    const answer = await this.send({ http: 1, method: "POST", path, headers, body: Buffer.from(JSON.stringify(body)) });
    if (answer.status !== 200) throw new Error(`${method}: ${answer.status} ${answer.body.toString()}`);
    return JSON.parse(answer.body.toString());
  }

  /** Sends a request and gives the whole answer; rejects when there is none. */
  async send(request: FuzzRequest): Promise<Answer> {
    const signal = AbortSignal.timeout(patienceMs);
    return request.http === 1 ? this.#overHttp1(request, signal) : this.#overHttp2(request, signal);
  }

  /** Writes bytes to a connection of its own and gives what comes back until either side has had enough. */
  async sendRaw(bytes: Buffer): Promise<Buffer> {
    const socket = connect(this.#port, "127.0.0.1");
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk)).on("error", () => {});
    socket.setTimeout(200, () => socket.destroy()); // it waits for more
    socket.write(bytes);
    await new Promise((resolve) => socket.once("close", resolve)); // after an error too
    return Buffer.concat(chunks);
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.#session?.destroy();
    if (this.isAlive) {
      this.#child.kill("SIGKILL");
      await once(this.#child, "exit");
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #overHttp1(fuzzed: FuzzRequest, signal: AbortSignal): Promise<Answer> {
    const { method, path, headers, body } = fuzzed;
    const request = http1Request({
      host: "127.0.0.1",
      port: this.#port,
      agent: this.#agent,
      method,
      path,
      headers: { ...headers, "content-length": String(body.length) },
      signal,
    });
    return new Promise((resolve, reject) => {
      request.once("error", (error) => {
        // The service may close a connection that nobody has used for a while, just as it is used again.
        if (request.reusedSocket && "code" in error && error.code === "ECONNRESET")
          resolve(this.#overHttp1(fuzzed, signal));
        else reject(error);
      });
      request.once("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk)).once("error", reject);
        response.once("end", () => {
          const { statusCode: status = 0, headers: answered, trailers } = response;
          resolve({ status, headers: answered, trailers, body: Buffer.concat(chunks) });
        });
      });
      request.end(body);
    });
  }

  async #overHttp2({ method, path, headers, body }: FuzzRequest, signal: AbortSignal): Promise<Answer> {
    const stream = this.#http2().request(
      { ":method": method, ":path": path, ...headers },
      { signal, endStream: false },
    );
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let head: IncomingHttpHeaders & { ":status"?: number | undefined } = {};
      let trailers: IncomingHttpHeaders = {};
      stream.once("error", reject);
      stream.once("response", (received) => (head = received));
      stream.once("trailers", (received) => (trailers = received));
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.once("end", () => {
        const { ":status": status } = head;
        if (status === undefined) return; // the stream was closed without an answer
        resolve({ status, headers: head, trailers, body: Buffer.concat(chunks) });
        // The service may not have wanted all of a long request.
        if (body.length > initialWindow) this.#reset(stream);
      });
      stream.once("close", () => reject(new Error(`the stream was closed with ${stream.rstCode}`)));
      stream.end(body);
    });
  }

  #reset(stream: ClientHttp2Stream): void {
    stream.close();
    this.#resets += 1;
    if (this.#resets % resetsOfSession === 0) this.#session?.close();
  }

  #http2(): ClientHttp2Session {
    if (!this.#session || this.#session.closed || this.#session.destroyed) {
      this.#session = connectHttp2(`http://127.0.0.1:${this.#port}`);
      this.#session.on("error", () => {});
    }
    return this.#session;
  }
}
