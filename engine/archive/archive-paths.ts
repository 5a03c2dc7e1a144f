import { type PartResource } from "./format.ts";

/** Names inside an archive's folder; `format.ts` draws the whole. */
export const manifestFile = "manifest.json";
export const digestFile = "manifest.json.sha256";
export const backupsFolder = "backups/";

/** The folder of a backup's archive. */
export function backupFolder(backupUuid: string): string {
  return backupsFolder + backupUuid;
}

/** The folder of the archive of what a restore replaces. */
export function safetyFolder(restoreUuid: string): string {
  return `safety/${restoreUuid}`;
}

/** Every resource has one part, named after it; so a phase that runs again writes over what it wrote before. */
export function partFile({ apiVersion, resource }: PartResource): string {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/", 2) : ["core", apiVersion];
  return `objects/${group}.${version}.${resource}.ndjson.zst`;
}
