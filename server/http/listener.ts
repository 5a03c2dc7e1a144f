import { once } from "node:events";
import type { Http2SecureServer, ServerHttp2Session } from "node:http2";
import { createSecureServer } from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import { createCleartextServer } from "./cleartext-server.ts";
import type { Dispatch } from "../dispatcher.ts";
import type { ReloadedFiles } from "./reloaded-files.ts";
import type { TlsMaterial } from "./tls-material.ts";
import { Call, type RequestListener, type Response } from "./call.ts";
import type { Connections } from "../limits/connections.ts";
import type { ServerLimits } from "../limits/options.ts";
import { type ProtocolOptions, protocolOptions } from "../limits/protocol-options.ts";
import { refuseMalformed } from "./malformed-request.ts";
import type { Address } from "../settings/parsers.ts";

/** The server's limits, and the connections of all its ports. */
export interface Load {
  readonly limits: ServerLimits;
  readonly connections: Connections;
}

/** A port: it listens, and it closes without cutting off calls in progress. */
export class Listener {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #calls = new Set<Call>();
  #closing = false;

  /** In clear text, or over TLS: connections that come after a change of its files get the new ones. */
  constructor(dispatch: Dispatch, { limits, connections }: Load, tls?: ReloadedFiles<TlsMaterial>) {
    const onRequest: RequestListener = (request, response) => {
      const call = new Call(request, response);
      connections.startCall(call);
      this.#track(call);
      dispatch(call);
    };
    const onSession = (session: ServerHttp2Session) => {
      connections.startSession(session);
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
    };
    this.#server = tls
      ? createReloadedServer(tls, onRequest, protocolOptions(limits)).on("session", onSession)
      : createCleartextServer(onRequest, onSession, protocolOptions(limits));
    connections.guard(this.#server);
    this.#server.on("clientError", refuseMalformed);
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  async listen({ host, port }: Address): Promise<AddressInfo> {
    this.#server.listen(port, host);
    await once(this.#server, "listening");
    return this.#server.address() as AddressInfo;
  }

  /** Takes no more calls, finishes those in progress, and cuts off unfinished ones when the time is over. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const session of this.#sessions) session.close();
    for (const call of this.#calls) askToClose(call.response);
    // Clients that have not said a word, which the server itself does not count as idle.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(timer);
  }

  #track(call: Call): void {
    const { request, response } = call;
    this.#calls.add(call);
    response.once("close", () => {
      this.#calls.delete(call);
      if (this.#closing && request.httpVersionMajor === 1) this.#closeUnused(request.socket);
    });
    if (this.#closing && request.httpVersionMajor === 1) askToClose(response);
  }

  /** Ends an HTTP/1.1 connection that a reply was still on, as a stream, when it was too late to say that it would end. */
  #closeUnused(socket: Socket): void {
    for (const { request } of this.#calls) if (request.socket === socket) return;
    socket.destroySoon();
  }
}

function createReloadedServer(
  tls: ReloadedFiles<TlsMaterial>,
  onRequest: RequestListener,
  options: ProtocolOptions,
): Http2SecureServer {
  // A client's certificate is looked at with each call, so that a wrong one is answered, and other ways may go without.
  const requestCert = tls.value.ca !== undefined;
  const server = createSecureServer(
    { ...options, ...tls.value, requestCert, rejectUnauthorized: false, allowHTTP1: true },
    onRequest,
  );
  tls.onChange((material) => server.setSecureContext(material));
  return server;
}

/** Makes an HTTP/1.1 connection end with its reply. HTTP/2 has no such header; its sessions get a GOAWAY. */
function askToClose(response: Response): void {
  if (!("stream" in response) && !response.headersSent) response.setHeader("connection", "close");
}
