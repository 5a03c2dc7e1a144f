import type { ServerOptions } from "node:http";
import type { SecureServerOptions } from "node:http2";
import type { ServerLimits } from "./options.ts";

/** The limits that Node itself enforces, in either protocol. */
export type ProtocolOptions = ServerOptions & Pick<SecureServerOptions, "settings">;

/**
 * Time limits of Node's own are off, as HTTP/2 has none of them: `Connections` holds clients of both to the same.
 *
 * Node 24 with its nghttp2 does by itself what is not said here: a client that resets streams faster than 33 a second, after
 * a burst of 1,000 (CVE-2023-44487), or lets 1,000 answers to its settings and pings pile up unread, is cut off.
 */
export function protocolOptions({ headerBytes, streams, idleTimeout }: ServerLimits): ProtocolOptions {
  return {
    maxHeaderSize: headerBytes,
    headersTimeout: 0,
    requestTimeout: 0,
    // Announced to HTTP/1.1 clients, which then do not send a request into a connection that ends.
    keepAliveTimeout: idleTimeout,
    settings: { maxConcurrentStreams: streams, maxHeaderListSize: headerBytes },
  };
}
