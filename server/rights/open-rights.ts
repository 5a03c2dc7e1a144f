import type { Auth } from "../../engine/cluster-auth.ts";
import { DrsError } from "../../engine/errors.ts";
import type { Logger } from "../../engine/logger.ts";
import { ReloadedFiles } from "../http/reloaded-files.ts";
import { clusterRightsOf } from "./cluster-rights.ts";
import type { RightsConfig } from "./options.ts";
import type { Authorize } from "./right.ts";
import { grantedRights, parseGrants } from "./rights-file.ts";

interface Granted {
  readonly authorize: Authorize;
  /** Stops watching the file. */
  close(): void;
}

/**
 * The configured rights; undefined, with a warning where that is not configured, when every known caller may do everything. Rejects, naming the file and the place
 * in it, when the rights file cannot be used; a later version of it that cannot be used is logged, and the one before
 * stays.
 */
export async function openRights(
  config: RightsConfig | undefined,
  log: Logger,
  auth: () => Auth,
): Promise<Granted | undefined> {
  if (config === undefined) {
    log.warn(
      { code: "DRS-S011" },
      "no rights are configured: every authenticated caller may do everything, see --rights",
    );
    return undefined;
  }
  if (config === "all") return undefined;
  if (config === "kubernetes") return { authorize: clusterRightsOf(auth), close() {} };
  const { file } = config;
  const parse = ([content]: readonly Buffer[]) => {
    try {
      return parseGrants(String(content));
    } catch (cause) {
      if (cause instanceof DrsError)
        throw new DrsError(cause.code, `rights file ${file}: ${cause.message}`, { id: "DRS-S010", cause });
      throw cause;
    }
  };
  const grants = await ReloadedFiles.open([file], parse, log);
  return { authorize: grantedRights(() => grants.value), close: () => grants.close() };
}
