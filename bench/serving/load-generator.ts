import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Load, LoadTarget, Served } from "./load.ts";

/**
 * A program that prints how many requests a second servers answer. It does as little as possible for each, so that it is
 * the server that is measured: no client library, and replies are only looked at for their success.
 */
const load = JSON.parse(process.argv[2] ?? "") as Load;
const body = Buffer.from(load.body, "base64");
const turn = 0.1;
const warmUp = 0.2;

/** Asks once, and calls back when the reply is there. */
type Ask = (answered: () => void) => void;

function fail(error: unknown): never {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}

/** HTTP/2, one stream after the other. */
function grpc(session: ClientHttp2Session): Ask {
  session.on("error", fail);
  const headers = { ":method": "POST", ":path": load.path, "content-type": "application/grpc", te: "trailers" };
  return (answered) => {
    const stream = session.request(headers);
    stream.on("trailers", (trailers) => {
      if (trailers["grpc-status"] !== "0") fail(`grpc-status ${String(trailers["grpc-status"])}`);
    });
    stream.on("error", fail).on("end", answered);
    stream.resume();
    stream.end(body);
  };
}

/** HTTP/1.1, kept alive. */
function json(socket: Socket, host: string, shown: Readonly<Record<string, string>>): Ask {
  const added = Object.entries(shown).map(([name, value]) => `${name}: ${value}`);
  const headers = ["Content-Type: application/json", `Content-Length: ${body.length}`, ...added];
  const head = [`POST ${load.path} HTTP/1.1`, `Host: ${host}`, ...headers].join("\r\n");
  const request = Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body]);
  let missing = 0;
  let whole: (() => void) | undefined;
  socket.setNoDelay(true);
  socket.on("error", fail).on("data", (chunk) => {
    if (missing === 0) missing = lengthOf(chunk);
    missing -= chunk.length;
    if (missing === 0) whole?.();
  });
  return (answered) => {
    whole = answered;
    socket.write(request);
  };
}

/** The bytes of a reply, from its first chunk. */
function lengthOf(chunk: Buffer): number {
  const headEnd = chunk.indexOf("\r\n\r\n") + 4;
  const head = chunk.toString("latin1", 0, headEnd);
  const length = /^content-length: (\d+)\r$/im.exec(head)?.[1];
  if (!head.startsWith("HTTP/1.1 200 ") || length === undefined) fail(chunk);
  return headEnd + Number(length);
}

async function open({ url, headers = {}, tls }: LoadTarget): Promise<Ask> {
  const { hostname, port, host } = new URL(url);
  if (load.protocol === "gRPC") {
    const session = connectHttp2(url);
    await once(session, "connect");
    return grpc(session);
  }
  const address = { host: hostname, port: Number(port) };
  if (!tls) {
    const socket = connect(address);
    await once(socket, "connect");
    return json(socket, host, headers);
  }
  const files = Object.entries(tls).map(([name, file]) => [name, readFileSync(file)]);
  const socket = connectTls({ ...address, ...(Object.fromEntries(files) as object) });
  await once(socket, "secureConnect");
  return json(socket, host, headers);
}

/** A server and what it has answered. */
class Target {
  readonly #asks: readonly Ask[];
  #requests = 0;
  #counted = { requests: 0, seconds: 0 };

  private constructor(asks: readonly Ask[]) {
    this.#asks = asks;
  }

  static async open(target: LoadTarget): Promise<Target> {
    return new Target(await Promise.all(Array.from({ length: load.connections }, () => open(target))));
  }

  /** Keeps every connection busy for a turn, until the last reply is there. */
  async run(counts: boolean): Promise<void> {
    const before = this.#requests;
    const start = performance.now();
    const end = start + turn * 1000;
    const busy = (ask: Ask) =>
      new Promise<void>((resolve) => {
        const next = () => {
          this.#requests += 1;
          if (performance.now() < end) ask(next);
          else resolve();
        };
        ask(next);
      });
    await Promise.all(this.#asks.map(busy));
    if (!counts) return;
    this.#counted.requests += this.#requests - before;
    this.#counted.seconds += (performance.now() - start) / 1000;
  }

  get served(): Served {
    return { perSecond: this.#counted.requests / this.#counted.seconds, requests: this.#requests };
  }
}

const targets = await Promise.all(load.targets.map((target) => Target.open(target)));
const turns = Math.ceil(load.seconds / turn);
for (let done = 0; done < turns; done += 1) {
  // The other one first every second time.
  const order = done % 2 === 0 ? targets : targets.toReversed();
  for (const target of order) await target.run(done >= turns * warmUp);
}
process.stdout.write(JSON.stringify(targets.map(({ served }) => served)));
process.exit(0);
