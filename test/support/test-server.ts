import { readFileSync } from "node:fs";
import { silentLogger } from "../../engine/logger.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Logger } from "../../engine/logger.ts";
import type { Callers } from "../../server/callers/gate.ts";
import type { TlsConfig } from "../../server/config.ts";
import { createServer, type ListeningServer } from "../../server/server.ts";

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

export interface TestServerOptions {
  readonly maxBodyBytes?: number;
  readonly log?: Logger;
  readonly callers?: Callers | undefined;
  readonly reflection?: boolean;
  readonly tls?: Partial<TlsConfig>;
  readonly pathPrefix?: string;
}

/** Starts the real server in front of an engine, in clear text and over TLS, on free ports. */
export async function startTestServer(engine: Engine, options: TestServerOptions = {}): Promise<TestServer> {
  const {
    maxBodyBytes = 1_048_576,
    log = silentLogger,
    callers,
    reflection = true,
    tls: tlsFiles,
    pathPrefix = "",
  } = options;
  const anyPort = { host: "127.0.0.1", port: 0 };
  const tls = { address: anyPort, certificateFile, keyFile, ...tlsFiles };
  const server = await createServer(
    { engine, log, callers, reflection },
    { listen: anyPort, tls, pathPrefix, maxBodyBytes },
  );
  return {
    url: `http://127.0.0.1:${server.cleartext?.port}`,
    tlsUrl: `https://localhost:${server.tls?.port}`,
    server,
  };
}
