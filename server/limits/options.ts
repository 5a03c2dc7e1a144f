import type { Command, Option } from "commander";
import { duration, setting } from "../settings/option.ts";
import { parseCount } from "../settings/parsers.ts";

/** The server's limits for its clients. Times are milliseconds. */
export interface ServerLimits {
  /** Bytes of a request's headers. */
  readonly headerBytes: number;
  /** Connections that are open, on all ports together. */
  readonly connections: number;
  /** Requests at once on one HTTP/2 connection. */
  readonly streams: number;
  /** Bytes of all requests that are not answered yet, the first few KiB of each left out. */
  readonly pendingBytes: number;
  /** Open calls of health's and reflection's methods, of each so many. */
  readonly watches: number;
  /** The rate of one caller, in the long run; twice as many may come at once. */
  readonly requestsPerSecond: number;
  /** For a new connection's first request to begin, and for every request to be here wholly. */
  readonly receiveTimeout: number;
  /** A connection on which nothing is asked. */
  readonly idleTimeout: number;
  /** A request from its beginning until its reply has been taken. Streams have none. */
  readonly requestTimeout: number;
}

export const defaultLimits: ServerLimits = {
  headerBytes: 16_384,
  connections: 512,
  streams: 100,
  pendingBytes: 67_108_864,
  watches: 1_000,
  requestsPerSecond: 100,
  receiveTimeout: 30_000,
  idleTimeout: 300_000,
  requestTimeout: 300_000,
};

export interface LimitOptions {
  readonly maxHeaderBytes: number;
  readonly maxConnections: number;
  readonly maxStreams: number;
  readonly maxPendingBytes: number;
  readonly maxWatches: number;
  readonly maxRequestsPerSecond: number;
  readonly maxQueuedJobs: number;
  readonly receiveTimeout: number;
  readonly idleTimeout: number;
  readonly requestTimeout: number;
}

export function addLimitOptions(program: Command): Command {
  return program
    .optionsGroup("Load:")
    .addOption(count("--max-header-bytes", "of a request's headers", defaultLimits.headerBytes))
    .addOption(count("--max-connections", "open at once, on all ports together", defaultLimits.connections))
    .addOption(count("--max-streams", "requests at once on one HTTP/2 connection", defaultLimits.streams))
    .addOption(
      count(
        "--max-pending-bytes",
        "of all requests that are not answered yet; usual short ones are taken in any case",
        defaultLimits.pendingBytes,
      ),
    )
    .addOption(
      count("--max-watches", "watches of health open at once; calls of reflection, too", defaultLimits.watches),
    )
    .addOption(
      count(
        "--max-requests-per-second",
        "of one caller; twice as many may come at once",
        defaultLimits.requestsPerSecond,
      ),
    )
    .addOption(count("--max-queued-jobs", "jobs that wait for the ones before them", 100))
    .addOption(duration("--receive-timeout", "a client that does not get its request out", "30s"))
    .addOption(duration("--idle-timeout", "a connection on which nothing is asked", "5m"))
    .addOption(duration("--request-timeout", "a request until its reply has been taken", "5m"));
}

function count(flag: string, description: string, preset: number): Option {
  return setting(`${flag} <n>`, description).argParser(parseCount).default(preset);
}

export function serverLimits(options: LimitOptions): ServerLimits {
  const { maxStreams, maxPendingBytes, maxWatches, maxRequestsPerSecond, receiveTimeout, idleTimeout, requestTimeout } =
    options;
  return {
    headerBytes: options.maxHeaderBytes,
    connections: options.maxConnections,
    streams: maxStreams,
    pendingBytes: maxPendingBytes,
    watches: maxWatches,
    requestsPerSecond: maxRequestsPerSecond,
    receiveTimeout,
    idleTimeout,
    requestTimeout,
  };
}
