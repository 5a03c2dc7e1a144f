import type { PartResource } from "./format.ts";

/** Names inside an archive's folder; `format.ts` draws the whole. */
export const manifestFile = "manifest.json";
export const digestFile = "manifest.json.sha256";
export const copiesFile = "copies.json";

/** Where backups lie in the storage, each in a folder named by the last part of its CRN. */
export const backupsFolder = "backups/";

export function backupFolder(backupUuid: string): string {
  return backupsFolder + backupUuid;
}

export const safetyArchivesFolder = "safety/";

/** Where a restore keeps what it is about to replace, until it has finished. */
export function safetyFolder(restoreUuid: string): string {
  return safetyArchivesFolder + restoreUuid;
}

/** The ending of an encrypted part's name. */
export const encryptedSuffix = ".enc";

/** A part's name without that. */
export function plainName(file: string): string {
  return file.endsWith(encryptedSuffix) ? file.slice(0, -encryptedSuffix.length) : file;
}

/** Every resource has one part, named after it; so a phase that runs again writes over what it wrote before. */
export function partFile({ apiVersion, resource }: Pick<PartResource, "apiVersion" | "resource">): string {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/", 2) : ["core", apiVersion];
  return `objects/${group}.${version}.${resource}.ndjson.zst`;
}
