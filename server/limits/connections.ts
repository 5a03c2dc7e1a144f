import type { ServerHttp2Session } from "node:http2";
import type { Server, Socket } from "node:net";
import type { Logger } from "../../engine/logger.ts";
import type { Call } from "../http/call.ts";
import { cutOff } from "../json/json-reply.ts";
import type { ServerLimits } from "./options.ts";

/** How often connections that are too many are logged at most, in milliseconds. */
const reportInterval = 1_000;
/** Silence in milliseconds after which the operating system asks whether the other side is still there. */
const keepAliveDelay = 60_000;
/** Milliseconds that Node has to close an idle HTTP/1.1 connection, and a client to follow a GOAWAY, before the socket is destroyed. */
const closeGrace = 2_000;

interface Connection {
  readonly socket: Socket;
  readonly calls: Set<Call>;
  session?: ServerHttp2Session;
  /** Closes it, unless a call begins first. */
  timer?: NodeJS.Timeout;
}

/**
 * The open connections of all ports: not too many of them, and none on which nothing is asked for long. What is slow within a
 * request of HTTP/1.1 is Node's own to close: see `protocolOptions`.
 *
 * At their limit, the one whose last request is longest ago makes room for a new one, unless it is being answered. A request that
 * is not here wholly, or whose caller is not known yet, a reply that only waits for its reader, and a stream are no answering.
 * When all are being answered, the new one is refused.
 */
export class Connections {
  readonly #limits: ServerLimits;
  readonly #log: Logger;
  /** By both ends' ports and the other's address; the one whose last request is longest ago comes first. */
  readonly #open = new Map<string, Connection>();
  readonly #tooMany = { refused: 0, closedForOthers: 0 };

  constructor(limits: ServerLimits, log: Logger) {
    this.#limits = limits;
    this.#log = log;
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
    if (!connection) return;
    connection.session = session;
    closeAfter(connection, this.#limits.idleTimeout);
  }

  /** Registers a request whose headers are complete, and ends it when its time is over. */
  startCall(call: Call): void {
    const key = keyOf(call.request.socket);
    const connection = this.#open.get(key);
    if (!connection) return;
    clearTimeout(connection.timer);
    connection.calls.add(call);
    this.#open.delete(key);
    this.#open.set(key, connection);
    const { receiveTimeout, requestTimeout, idleTimeout } = this.#limits;
    const timers = [cutOffAfter(receiveTimeout, call, isWaitedFor), cutOffAfter(requestTimeout, call, () => true)];
    call.response.once("close", () => {
      for (const timer of timers) clearTimeout(timer);
      connection.calls.delete(call);
      if (connection.calls.size === 0) closeAfter(connection, idleTimeout + closeGrace);
    });
  }

  #admit(socket: Socket): boolean {
    if (this.#open.size >= this.#limits.connections && !this.#makeRoom()) {
      this.#count("refused");
      return false;
    }
    const key = keyOf(socket);
    const connection: Connection = { socket, calls: new Set() };
    this.#open.set(key, connection);
    closeAfter(connection, this.#limits.receiveTimeout);
    socket.setKeepAlive(true, keepAliveDelay);
    socket.once("close", () => {
      clearTimeout(connection.timer);
      if (this.#open.get(key) === connection) this.#open.delete(key);
    });
    return true;
  }

  #makeRoom(): boolean {
    for (const [key, connection] of this.#open) {
      if (isAnswered(connection)) continue;
      connection.socket.destroy();
      this.#open.delete(key);
      this.#count("closedForOthers");
      return true;
    }
    return false;
  }

  #count(what: "refused" | "closedForOthers"): void {
    const { refused, closedForOthers } = this.#tooMany;
    if (refused + closedForOthers === 0) setTimeout(() => this.#report(), reportInterval).unref();
    this.#tooMany[what] += 1;
  }

  #report(): void {
    const counts = { code: "DRS-C025", ...this.#tooMany, open: this.#open.size };
    this.#log.warn(counts, "too many connections: see --max-connections");
    Object.assign(this.#tooMany, { refused: 0, closedForOthers: 0 });
  }
}

/** Closes a connection when no call has begun on it in the meantime. A session says goodbye first. */
function closeAfter(connection: Connection, ms: number): void {
  const { socket, session } = connection;
  clearTimeout(connection.timer);
  if (socket.destroyed) return;
  connection.timer = setTimeout(() => {
    if (!session || session.closed) socket.destroy();
    else {
      session.close();
      closeAfter(connection, closeGrace);
    }
  }, ms).unref();
}

/** Cuts a call off that still has to come to its end then, for the reason given. A stream that is let in may last. */
function cutOffAfter(ms: number, call: Call, isDue: (call: Call) => boolean): NodeJS.Timeout {
  return setTimeout(() => {
    if (!call.mayLast && isDue(call)) cutOff(call.response);
  }, ms).unref();
}

function isWaitedFor({ request }: Call): boolean {
  return !request.complete;
}

/** Whether it is the server's turn in any of its calls. */
function isAnswered({ calls }: Connection): boolean {
  for (const call of calls) {
    if (call.isLetIn && call.request.complete && !call.response.writableEnded && !call.mayLast) return true;
  }
  return false;
}

function keyOf(socket: Pick<Socket, "remoteAddress" | "remotePort" | "localPort">): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localPort}`;
}
