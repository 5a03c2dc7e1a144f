import { Agent as HttpAgent, request as httpRequest } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type IncomingHttpHeaders,
} from "node:http2";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Answer } from "./answers.ts";
import type { FuzzRequest } from "./requests.ts";

/** A request that is not answered by then counts as a fault. */
const patienceMs = 20_000;
/** So much of a request is sent before the service has asked for more: https://www.rfc-editor.org/rfc/rfc9113#section-6.9.2 */
const initialWindow = 65_535;
/** To reset more streams of one connection is taken for an attack: https://nodejs.org/api/http2.html (streamResetBurst) */
const resetsOfSession = 500;
/** Longer requests get a session of their own: Node refuses streams of one that holds 10 MB already (`maxSessionMemory`). */
const longest = 200_000;
const kept = { keepAlive: true, maxSockets: 16 };

/** Connections to one port of the service on the loopback interface, which are kept. */
export class Connections {
  readonly #port: number;
  /** Over TLS, the authority to trust. */
  readonly #ca: Buffer | undefined;
  readonly #agent: HttpAgent;
  #session: ClientHttp2Session | undefined;
  #resets = 0;

  constructor(port: number, ca?: Buffer) {
    this.#port = port;
    this.#ca = ca;
    this.#agent = ca ? new HttpsAgent({ ...kept, ca }) : new HttpAgent(kept);
  }

  /** Sends a request and gives the whole answer; rejects when there is none. */
  async send(request: FuzzRequest): Promise<Answer> {
    const signal = AbortSignal.timeout(patienceMs);
    return request.http === 1 ? this.#overHttp1(request, signal) : this.#overHttp2(request, signal);
  }

  /** Writes bytes to a connection of its own, over TLS or as if there were none, and gives what comes back until either side has had enough. */
  async sendRaw(bytes: Buffer, { overTls = this.#ca !== undefined } = {}): Promise<Buffer> {
    const socket = overTls ? this.#tlsSocket(bytes) : connect(this.#port, "127.0.0.1");
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk)).on("error", () => {});
    socket.setTimeout(200, () => socket.destroy()); // it waits for more
    socket.write(bytes);
    await new Promise((resolve) => socket.once("close", resolve)); // after an error too
    return Buffer.concat(chunks);
  }

  close(): void {
    this.#agent.destroy();
    this.#session?.destroy();
  }

  #tlsSocket(bytes: Buffer): Socket {
    const protocol = bytes.subarray(0, 3).toString() === "PRI" ? "h2" : "http/1.1";
    return connectTls({ host: "127.0.0.1", port: this.#port, ca: this.#ca, ALPNProtocols: [protocol] });
  }

  async #overHttp1(fuzzed: FuzzRequest, signal: AbortSignal): Promise<Answer> {
    const { method, path, headers, body } = fuzzed;
    const request = (this.#ca ? httpsRequest : httpRequest)({
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
    const isLong = body.length > longest;
    const session = isLong ? this.#newSession() : this.#sharedSession();
    const stream = session.request({ ":method": method, ":path": path, ...headers }, { signal, endStream: false });
    if (isLong) stream.once("close", () => session.destroy());
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
        if (isLong) stream.close();
        else if (body.length > initialWindow) this.#reset(stream);
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

  #sharedSession(): ClientHttp2Session {
    if (!this.#session || this.#session.closed || this.#session.destroyed) this.#session = this.#newSession();
    return this.#session;
  }

  #newSession(): ClientHttp2Session {
    const session = connectHttp2(`${this.#ca ? "https" : "http"}://127.0.0.1:${this.#port}`, { ca: this.#ca });
    return session.on("error", () => {});
  }
}
