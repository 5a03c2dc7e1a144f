import type { Command } from "commander";
import { setting } from "../settings/option.ts";
import { parseFile } from "../settings/parsers.ts";

/** The source of callers' rights: a file (`rights-file.ts`), or the cluster (`cluster-rights.ts`); or all rights for every known caller. */
export type RightsConfig = { readonly file: string } | "kubernetes" | "all";

export interface RightsOptions {
  readonly rights?: RightsConfig;
}

export function addRightsOption(program: Command): Command {
  return program.addOption(
    setting(
      "--rights <file>",
      'who may do what: a JSON file, "kubernetes" to ask the cluster, or "all": who is known may do everything (default: all, and none with bearer tokens)',
    ).argParser(parseRights),
  );
}

function parseRights(text: string): RightsConfig {
  return text === "kubernetes" || text === "all" ? text : { file: parseFile(text) };
}
