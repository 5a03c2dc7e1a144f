import type { Command, Option } from "commander";
import { duration, setting } from "../settings/option.ts";
import { parseCount } from "../settings/parsers.ts";

/** The server's limits for its clients: those that an operator sets, and others that are the same everywhere. Times are milliseconds. */
export interface ServerLimits {
  /** Connections that are open, on all ports together. Set. */
  readonly connections: number;
  /** The rate of one caller, in the long run; twice as many may come at once. Set. */
  readonly requestsPerSecond: number;
  /** A request from its beginning until its reply has been taken. Streams have none. Set. */
  readonly requestTimeout: number;
  /** Bytes of a request's headers. */
  readonly headerBytes: number;
  /** Requests at once on one HTTP/2 connection. */
  readonly streams: number;
  /** Bytes of all requests that are not answered yet, the first few KiB of each left out. */
  readonly pendingBytes: number;
  /** Open calls of health's and reflection's methods, of each so many. */
  readonly watches: number;
  /** For a new connection's first request to begin, and for every request to be here wholly. */
  readonly receiveTimeout: number;
  /** A connection on which nothing is asked. */
  readonly idleTimeout: number;
}

export const defaultLimits: ServerLimits = {
  connections: 512,
  requestsPerSecond: 100,
  requestTimeout: 300_000,
  headerBytes: 16_384,
  streams: 100,
  pendingBytes: 67_108_864,
  watches: 1_000,
  receiveTimeout: 30_000,
  idleTimeout: 300_000,
};

export interface LimitOptions {
  readonly maxConnections: number;
  readonly maxRequestsPerSecond: number;
  readonly maxQueuedJobs: number;
  readonly requestTimeout: number;
}

export function addLimitOptions(program: Command): Command {
  const { connections, requestsPerSecond } = defaultLimits;
  return program
    .optionsGroup("Load:")
    .addOption(count("--max-connections", "open at once, on all ports together", connections))
    .addOption(count("--max-requests-per-second", "of one caller; twice as many may come at once", requestsPerSecond))
    .addOption(count("--max-queued-jobs", "jobs asked for by callers that wait for the ones before them", 100))
    .addOption(duration("--request-timeout", "a request until its reply has been taken", "5m"));
}

function count(flag: string, description: string, preset: number): Option {
  return setting(`${flag} <n>`, description).argParser(parseCount).default(preset);
}

export function serverLimits(options: LimitOptions): ServerLimits {
  const { maxConnections: connections, maxRequestsPerSecond: requestsPerSecond, requestTimeout } = options;
  return { ...defaultLimits, connections, requestsPerSecond, requestTimeout };
}
