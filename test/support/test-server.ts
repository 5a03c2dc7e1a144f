import { readFileSync } from "node:fs";
import { silentLogger } from "../../engine/logger.ts";
import type { Engine } from "../../engine/engine.ts";
import type { TlsConfig } from "../../server/settings/config.ts";
import type { ServerContext } from "../../server/context.ts";
import { defaultLimits, type ServerLimits } from "../../server/limits/options.ts";
import { createServer, type ListeningServer } from "../../server/server.ts";
import type { ServedService } from "../../server/services/served-service.ts";
import { openTlsMaterial } from "../../server/http/tls-material.ts";

/** A file of `tls/`. */
export const file = (name: string) => new URL(`tls/${name}`, import.meta.url).pathname;

export const certificateFile = file("certificate.pem");
export const keyFile = file("key.pem");
/** What a client must trust to reach a test server over TLS. */
export const certificate = readFileSync(certificateFile);

export interface TestServer {
  /** `http://127.0.0.1:<port>` and `https://localhost:<port>`. */
  readonly url: string;
  readonly tlsUrl: string;
  readonly server: ListeningServer;
}

export interface TestServerOptions extends Partial<Omit<ServerContext, "engine" | "shutdown">> {
  /** Others than the service's own. */
  readonly services?: (context: ServerContext) => readonly ServedService[];
  readonly maxBodyBytes?: number;
  /** Others than the defaults; the rate of requests is not limited unless it is here. */
  readonly limits?: Partial<ServerLimits>;
  readonly tls?: Partial<TlsConfig>;
  readonly pathPrefix?: string;
}

/** Starts the real server in front of an engine, in clear text and over TLS, on free ports. */
export async function startTestServer(engine: Engine, options: TestServerOptions = {}): Promise<TestServer> {
  const {
    maxBodyBytes = 1_048_576,
    limits = {},
    log = silentLogger,
    tls: tlsFiles,
    pathPrefix = "",
    services,
    ...more
  } = options;
  const anyPort = { host: "127.0.0.1", port: 0 };
  const files = { address: anyPort, certificateFile, keyFile, ...tlsFiles };
  const tls = { address: files.address, material: await openTlsMaterial(files, log) };
  const load = { maxBodyBytes, limits: { ...defaultLimits, requestsPerSecond: Infinity, ...limits } };
  const server = await createServer(
    { engine, log, reflection: true, ...more },
    { listen: anyPort, tls, pathPrefix, ...load },
    services,
  );
  return {
    url: `http://127.0.0.1:${server.cleartext?.port}`,
    tlsUrl: `https://localhost:${server.tls?.port}`,
    server,
  };
}
