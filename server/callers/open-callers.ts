import type { Logger } from "../../engine/logger.ts";
import { ReloadedFiles } from "../reloaded-files.ts";
import { type AccessKey, parseAccessKeys } from "./access-keys.ts";
import type { Authenticator } from "./authenticator.ts";
import { CdpSignatures } from "./cdp-signatures.ts";
import { ClientCertificates } from "./client-certificates.ts";
import type { Callers } from "./gate.ts";
import type { CallersConfig } from "./options.ts";

export interface OpenCallers extends Callers {
  /** Looks at files no more. */
  close(): void;
}

/** Makes the configured ways; undefined when there is none. Rejects when a file of theirs cannot be used. */
export async function openCallers(config: CallersConfig, log: Logger): Promise<OpenCallers | undefined> {
  const { clientCertificates, signatures } = config;
  const authenticators: Authenticator[] = [];
  const keys = signatures && (await openAccessKeys(signatures.accessKeysFile, log));
  if (clientCertificates) authenticators.push(new ClientCertificates());
  if (keys) authenticators.push(new CdpSignatures({ ...signatures, keys: () => keys.value }));
  return authenticators.length > 0 ? { authenticators, close: () => keys?.close() } : undefined;
}

function openAccessKeys(file: string, log: Logger): Promise<ReloadedFiles<ReadonlyMap<string, AccessKey>>> {
  return ReloadedFiles.open([file], ([content]) => parseAccessKeys(file, content ?? Buffer.alloc(0)), log);
}
