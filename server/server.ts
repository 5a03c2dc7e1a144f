import type { AddressInfo } from "node:net";
import type { ServerConfig } from "./settings/config.ts";
import type { ServerContext } from "./context.ts";
import { createDispatcher } from "./dispatcher.ts";
import { Connections } from "./limits/connections.ts";
import { defaultLimits } from "./limits/options.ts";
import { Listener } from "./http/listener.ts";
import type { ReloadedFiles } from "./http/reloaded-files.ts";
import type { ServedService } from "./services/served-service.ts";
import { servicesOf } from "./services/services.ts";
import type { Address } from "./settings/parsers.ts";
import type { TlsMaterial } from "./http/tls-material.ts";

/** How long a shutdown waits for calls that are being answered. */
const closeGrace = 10_000;

export interface ListeningServer {
  /** Where it listens in clear text and over TLS; a port 0 of the configuration is the real one here. */
  readonly cleartext: AddressInfo | undefined;
  readonly tls: AddressInfo | undefined;
  /** Says NOT_SERVING, takes no more calls, finishes those it has and ends streams. The engine is left open. */
  close(): Promise<void>;
}

/** The settings of the ports; the files of TLS have been read, as they are proven before the engine runs. */
type ListeningConfig = Pick<ServerConfig, "listen" | "maxBodyBytes"> &
  Partial<Pick<ServerConfig, "pathPrefix" | "limits">> & {
    readonly tls: { readonly address: Address; readonly material: ReloadedFiles<TlsMaterial> } | undefined;
  };

/**
 * Serves the engine on the configured ports. Rejects, listening nowhere, when one of them cannot be had.
 *
 * @param services The services to serve.
 */
export async function createServer(
  deps: Omit<ServerContext, "shutdown">,
  config: ListeningConfig,
  services: (context: ServerContext) => readonly ServedService[] = servicesOf,
): Promise<ListeningServer> {
  const stopping = new AbortController();
  const context = { ...deps, shutdown: stopping.signal };
  const { limits = defaultLimits, maxBodyBytes, pathPrefix, tls } = config;
  const dispatch = createDispatcher(context, { maxBodyBytes, limits, pathPrefix }, services(context));
  const connections = new Connections(limits, context.log);
  const listeners: Listener[] = [];
  const close = async () => {
    stopping.abort();
    tls?.material.close();
    await Promise.all(listeners.map((listener) => listener.close(closeGrace)));
  };
  const listen = async (listener: Listener, address: NonNullable<ServerConfig["listen"]>) => {
    const bound = await listener.listen(address);
    listeners.push(listener);
    return bound;
  };
  try {
    const load = { limits, connections };
    const cleartext = config.listen && (await listen(new Listener(dispatch, load), config.listen));
    const secured = tls && (await listen(new Listener(dispatch, load, tls.material), tls.address));
    return { cleartext, tls: secured, close };
  } catch (error) {
    await close();
    throw error;
  }
}
