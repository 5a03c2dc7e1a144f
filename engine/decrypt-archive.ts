import { basename, dirname, join, resolve } from "node:path";
import { ArchiveWriter } from "./archive/archive-writer.ts";
import { Archives } from "./archive/archives.ts";
import type { Part } from "./archive/format.ts";
import { readKeyFile } from "./encryption/key-file.ts";
import { FilesystemArchiveStorage } from "./storage/filesystem-archive-storage.ts";
import { openFolder } from "./storage/open-storage.ts";

/**
 * Writes an encrypted archive, `.../backups/<uuid>` or `.../safety/<uuid>`, once more as it would be without encryption,
 * below another folder under the same name, and gives that place. For a person who reads it by hand. Errors as reading it.
 */
export async function decryptArchive(
  archive: string,
  keyFile: string,
  target: string,
  signal: AbortSignal,
): Promise<string> {
  const path = resolve(archive);
  const folder = `${basename(dirname(path))}/${basename(path)}`;
  const encryption = { keys: await readKeyFile(keyFile), readsUnencrypted: true };
  const source = new FilesystemArchiveStorage(dirname(dirname(path)));
  const reader = await new Archives(source, encryption).open(folder, signal);
  const writer = new ArchiveWriter(await openFolder(target, "--to"), folder);
  const parts: Part[] = [];
  for (const part of reader.parts) {
    const written = await writer.writePart(part, reader.objects(part, signal), signal);
    if (written) parts.push(written);
  }
  await writer.writeManifest({ ...reader.manifest, parts }, signal);
  return join(target, folder);
}
