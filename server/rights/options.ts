import type { Command } from "commander";
import { setting } from "../setting.ts";
import { parseFile } from "../settings.ts";

/** Who may do what: a file says it (`rights-file.ts`), or the cluster (`cluster-rights.ts`). */
export type RightsConfig = { readonly file: string } | "kubernetes";

export interface RightsOptions {
  readonly rights?: RightsConfig;
}

export function addRightsOption(program: Command): Command {
  return program.addOption(
    setting(
      "--rights <file>",
      'who may do what: a JSON file, or "kubernetes" to ask the cluster (default: who is known may do everything)',
    ).argParser(parseRights),
  );
}

function parseRights(text: string): RightsConfig {
  return text === "kubernetes" ? text : { file: parseFile(text) };
}
