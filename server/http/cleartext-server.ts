import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { RequestListener } from "./call.ts";
import type { ProtocolOptions } from "../limits/protocol-options.ts";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A server whose one port speaks HTTP/1.1 and HTTP/2 with prior knowledge: the first bytes of a connection decide. */
export function createCleartextServer(
  onRequest: RequestListener,
  onSession: (session: ServerHttp2Session) => void,
  options: ProtocolOptions,
): Server {
  const server = createHttpServer(options, onRequest);
  const http2 = createHttp2Server(options, onRequest).on("session", onSession);
  const http1Listeners = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    sniff(socket, (isHttp2) => {
      if (!isHttp2) for (const listener of http1Listeners) listener.call(server, socket);
      else {
        // As in a server of HTTP/2 alone: the end of what a client says ends what it has begun to ask, too.
        socket.allowHalfOpen = false;
        http2.emit("connection", socket);
      }
    });
  });
  return server;
}

/** Reads until the protocol is known, puts the bytes back, and hands the socket on. */
function sniff(socket: Socket, decide: (isHttp2: boolean) => void): void {
  let head = Buffer.alloc(0);
  const drop = () => socket.destroy();
  const onReadable = () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    head = Buffer.concat([head, chunk]);
    const length = Math.min(head.length, preface.length);
    const mayBeHttp2 = head.subarray(0, length).equals(preface.subarray(0, length));
    if (mayBeHttp2 && length < preface.length) return;
    socket.off("readable", onReadable).off("error", drop).off("end", drop);
    // Once only: putting bytes back while still undecided would make the socket readable again at once, forever.
    socket.unshift(head);
    decide(mayBeHttp2);
  };
  socket.on("readable", onReadable).on("error", drop).on("end", drop);
}
