import type { ServerHttp2Session } from "node:http2";
import type { Server, Socket } from "node:net";
import type { Logger } from "../../engine/logger.ts";
import type { Call } from "../http/call.ts";
import { cutOff } from "../json/json-reply.ts";
import type { ServerLimits } from "./options.ts";

/** How often overdue connections are looked for, in milliseconds, when no limit is shorter. */
const sweepInterval = 1_000;
/** After which silence, in milliseconds, the operating system asks whether the other side is still there. */
const keepAliveDelay = 60_000;

interface Exchange {
  readonly call: Call;
  readonly since: number;
}

interface Connection {
  readonly socket: Socket;
  readonly exchanges: Set<Exchange>;
  session?: ServerHttp2Session;
  /** Whether it has ever asked something. */
  hasAsked: boolean;
  /** When it was opened, or what was last asked was answered. */
  since: number;
  /** The number of bytes read of it then. */
  heard: number;
  /** In HTTP/1.1, when something of a next request was seen first; undefined while there is nothing. */
  begunAt: number | undefined;
}

/**
 * The open connections of all ports: not too many of them, and none for longer than it is good for.
 *
 * At their limit, a connection on which nothing is being answered makes room for a new one: first one that has never
 * asked, then any, the one that has been so for longest. A request that is not here wholly, or whose caller is not known
 * yet, a reply that only waits for its reader, and a stream are no answering. When all are being answered, the new one is refused.
 */
export class Connections {
  readonly #limits: ServerLimits;
  readonly #log: Logger;
  /** By both ends' ports and the other's address; the one whose last request is longest ago comes first. */
  readonly #open = new Map<string, Connection>();
  readonly #sweep: NodeJS.Timeout;
  #refused = 0;
  #closedForOthers = 0;

  constructor(limits: ServerLimits, log: Logger) {
    this.#limits = limits;
    this.#log = log;
    const { receiveTimeout, idleTimeout, requestTimeout } = limits;
    const interval = Math.min(sweepInterval, receiveTimeout / 4, idleTimeout / 4, requestTimeout / 4);
    this.#sweep = setInterval(() => this.#closeOverdue(), interval).unref();
  }

  /** How many there are. */
  get size(): number {
    return this.#open.size;
  }

  /** Lets a server have only those of its connections that there is room for. */
  guard(server: Server): void {
    const listeners = server.listeners("connection");
    server.removeAllListeners("connection");
    server.on("connection", (socket: Socket) => {
      if (!this.#admit(socket)) socket.destroy();
      else for (const listener of listeners) listener.call(server, socket);
    });
  }

  /** Registers an HTTP/2 connection after its preface. */
  startSession(session: ServerHttp2Session): void {
    const connection = this.#open.get(keyOf(session.socket));
    if (connection) connection.session = session;
  }

  /** Registers a request whose headers are complete. */
  startCall(call: Call): void {
    const key = keyOf(call.request.socket);
    const connection = this.#open.get(key);
    if (!connection) return;
    const exchange = { call, since: performance.now() };
    connection.hasAsked = true;
    connection.begunAt = undefined;
    connection.exchanges.add(exchange);
    this.#moveToEnd(key, connection);
    call.response.once("close", () => {
      connection.exchanges.delete(exchange);
      connection.since = performance.now();
      connection.heard = connection.socket.bytesRead;
    });
  }

  /** Stops supervising them. */
  close(): void {
    clearInterval(this.#sweep);
  }

  #admit(socket: Socket): boolean {
    if (this.#open.size >= this.#limits.connections && !this.#makeRoom()) {
      this.#refused += 1;
      return false;
    }
    const key = keyOf(socket);
    const connection = {
      socket,
      exchanges: new Set<Exchange>(),
      hasAsked: false,
      since: performance.now(),
      heard: 0,
      begunAt: undefined,
    };
    this.#open.set(key, connection);
    socket.setKeepAlive(true, keepAliveDelay);
    socket.once("close", () => {
      if (this.#open.get(key) === connection) this.#open.delete(key);
    });
    return true;
  }

  #makeRoom(): boolean {
    const key = this.#leastNeeded();
    if (key === undefined) return false;
    this.#open.get(key)?.socket.destroy();
    this.#open.delete(key);
    this.#closedForOthers += 1;
    return true;
  }

  #leastNeeded(): string | undefined {
    let found: string | undefined;
    for (const [key, connection] of this.#open) {
      if (!connection.hasAsked) return key;
      if (!isAnswered(connection)) found ??= key;
    }
    return found;
  }

  #moveToEnd(key: string, connection: Connection): void {
    this.#open.delete(key);
    this.#open.set(key, connection);
  }

  #closeOverdue(): void {
    const now = performance.now();
    for (const connection of this.#open.values()) {
      for (const exchange of connection.exchanges) {
        if (this.#isOverdue(exchange, now)) cutOff(exchange.call.response);
        else stopSending(exchange);
      }
      if (connection.exchanges.size === 0) this.#closeIfIdle(connection, now);
    }
    if (this.#refused + this.#closedForOthers === 0) return;
    const counts = {
      code: "DRS-C025",
      refused: this.#refused,
      closedForOthers: this.#closedForOthers,
      open: this.#open.size,
    };
    this.#log.warn(counts, "too many connections: see --max-connections");
    this.#refused = 0;
    this.#closedForOthers = 0;
  }

  #isOverdue({ call, since }: Exchange, now: number): boolean {
    if (call.mayLast) return false;
    const { request, response } = call;
    const { receiveTimeout, requestTimeout } = this.#limits;
    const isWaitedFor = !request.complete && !response.writableEnded;
    return now - since > (isWaitedFor ? Math.min(receiveTimeout, requestTimeout) : requestTimeout);
  }

  #closeIfIdle(connection: Connection, now: number): void {
    const { socket, session, hasAsked, heard } = connection;
    const { idleTimeout, receiveTimeout } = this.#limits;
    if (!session && hasAsked && socket.bytesRead > heard) connection.begunAt ??= now;
    const limit = session || (hasAsked && connection.begunAt === undefined) ? idleTimeout : receiveTimeout;
    if (now - (connection.begunAt ?? connection.since) <= limit) return;
    // A session says goodbye first. One that is closed already had its time since the last sweep.
    if (session && !session.closed) session.close();
    else socket.destroy();
  }
}

/** Whether it is the server's turn in any of its exchanges. */
function isAnswered({ exchanges }: Connection): boolean {
  for (const { call } of exchanges) {
    if (call.isLetIn && call.request.complete && !call.response.writableEnded && !call.mayLast) return true;
  }
  return false;
}

/**
 * Ends an HTTP/2 stream whose reply has been sent while nobody reads the rest of its request (RFC 9113, 8.1): that would
 * fill the window that all streams of the connection share, and Node would keep the stream, and with it the connection,
 * even when the client has gone.
 */
function stopSending({ call: { request, response } }: Exchange): void {
  if (!("stream" in response) || request.complete) return;
  const { stream } = response;
  if (stream.closed || stream.state.localClose === 1) stream.destroy();
}

function keyOf(socket: Pick<Socket, "remoteAddress" | "remotePort" | "localPort">): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localPort}`;
}
