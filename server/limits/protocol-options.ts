import type { ServerOptions } from "node:http";
import type { SecureServerOptions } from "node:http2";
import type { ServerLimits } from "./options.ts";

/** The limits that Node itself enforces: those of size in either protocol, those of time in HTTP/1.1. */
export type ProtocolOptions = ServerOptions & Pick<SecureServerOptions, "settings">;

/**
 * HTTP/2 has no time limits of Node's own that dripped bytes or pings would not put off: `Connections` has them.
 *
 * Node 24 with its nghttp2 has further limits of its own: a client that resets streams faster than 33 a second, after
 * a burst of 1,000 (CVE-2023-44487), or lets 1,000 answers to its settings and pings pile up unread, is cut off.
 */
export function protocolOptions({ headerBytes, streams, receiveTimeout, idleTimeout }: ServerLimits): ProtocolOptions {
  return {
    maxHeaderSize: headerBytes,
    headersTimeout: receiveTimeout,
    requestTimeout: receiveTimeout,
    connectionsCheckingInterval: Math.min(1_000, receiveTimeout / 4),
    // Announced to clients, which then do not send a request into a connection that ends.
    keepAliveTimeout: idleTimeout,
    settings: { maxConcurrentStreams: streams, maxHeaderListSize: headerBytes },
  };
}
