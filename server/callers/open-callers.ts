import type { Auth } from "../../engine/cluster-auth.ts";
import type { Logger } from "../../engine/logger.ts";
import { ReloadedFiles } from "../http/reloaded-files.ts";
import { openRights } from "../rights/open-rights.ts";
import { type AccessKey, parseAccessKeys } from "./access-keys.ts";
import type { Callers } from "./authentication.ts";
import type { Authenticator } from "./authenticator.ts";
import { CdpSignatures } from "./cdp-signatures.ts";
import { ClientCertificates } from "./client-certificates.ts";
import { openTokens } from "./open-tokens.ts";
import type { CallersConfig } from "./options.ts";

export interface OpenCallers extends Callers {
  /** Stops watching files. */
  close(): void;
}

/**
 * Opens the configured authentication methods and rights; undefined when there is no method. Rejects when a file of theirs cannot be used.
 *
 * @param access What the cluster knows of callers; asked for when the first of them comes.
 */
export async function openCallers(
  config: CallersConfig,
  log: Logger,
  auth: () => Auth,
): Promise<OpenCallers | undefined> {
  const { clientCertificates, signatures, tokens, rights } = config;
  const keys = signatures && (await openAccessKeys(signatures.accessKeysFile, log));
  const authenticators: readonly (Authenticator | undefined)[] = [
    clientCertificates ? new ClientCertificates() : undefined,
    keys && new CdpSignatures({ ...signatures, keys: () => keys.value }),
    tokens && (await openTokens(tokens, auth)),
  ];
  const configured = authenticators.filter((authenticator) => authenticator !== undefined);
  if (configured.length === 0) return undefined;
  const granted = await openRights(rights, log, auth);
  const close = () => {
    keys?.close();
    granted?.close();
  };
  return { authenticators: configured, ...(granted && { authorize: granted.authorize }), close };
}

function openAccessKeys(file: string, log: Logger): Promise<ReloadedFiles<ReadonlyMap<string, AccessKey>>> {
  return ReloadedFiles.open([file], ([content]) => parseAccessKeys(file, content ?? Buffer.alloc(0)), log);
}
