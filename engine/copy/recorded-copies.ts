import { backupsFolder } from "../archive/archive-paths.ts";
import type { Archives } from "../archive/archives.ts";
import type { Copies } from "../archive/copies-file.ts";
import { DamageError } from "../archive/damage.ts";
import type { CopyDeps } from "./copy-deps.ts";

/**
 * Whether an archive has a copy in this repository. If so, the repository has to be there: one that is missing is a fault, such as a
 * folder that is not mounted, and is not made anew.
 */
export async function hasCopiesIn(
  repository: string,
  { storage, archives }: Pick<CopyDeps, "storage" | "archives">,
  signal: AbortSignal,
): Promise<boolean> {
  for (const name of await storage.listFolder(backupsFolder, signal)) {
    if (!name.endsWith("/")) continue;
    const copies = await readable(archives, backupsFolder + name.slice(0, -1), signal);
    if (copies !== undefined && isIn(repository, copies)) return true;
  }
  return false;
}

/** Whether copies of a backup are in this repository. */
export function isIn(repository: string, { former = [], ...last }: Copies): boolean {
  return [last, ...former].some((one) => one.repository === repository && one.volumes.length > 0);
}

/** What a damaged file names cannot be told. */
async function readable(archives: Archives, folder: string, signal: AbortSignal): Promise<Copies | undefined> {
  try {
    return await archives.copies(folder, signal);
  } catch (error) {
    if (error instanceof DamageError) return undefined;
    throw error;
  }
}
