import { createHash } from "node:crypto";
import { DrsError } from "../errors.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import { backupsFolder, digestFile, manifestFile } from "./archive-paths.ts";
import { damage } from "./damage.ts";
import { formatVersion, type Manifest, type Part } from "./format.ts";
import { checkManifest } from "./manifest-check.ts";
import { readPart } from "./part-reader.ts";

/** Reads one archive. What it gives out is proven against the archive's own digests; errors name the file. */
export class ArchiveReader {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly #storage: Pick<ArchiveStorage, "read">;

  private constructor(storage: Pick<ArchiveStorage, "read">, folder: string, manifest: Manifest) {
    this.#storage = storage;
    this.folder = folder;
    this.manifest = manifest;
  }

  /**
   * Reads and proves the manifest; the parts are not looked at yet. NOT_FOUND when there is no manifest, and so no
   * archive; FAILED_PRECONDITION when a newer service wrote it; DATA_LOSS when it is damaged.
   */
  static async open(
    storage: Pick<ArchiveStorage, "read">,
    folder: string,
    signal: AbortSignal,
  ): Promise<ArchiveReader> {
    const file = `${folder}/${manifestFile}`;
    const bytes = await readSmall(storage, file, signal);
    const digest = await readDigest(storage, `${folder}/${digestFile}`, signal);
    if (createHash("sha256").update(bytes).digest("hex") !== digest) {
      throw damage(file, `its checksum is not the one in ${digestFile}`);
    }
    return new ArchiveReader(storage, folder, parseManifest(bytes, folder, file));
  }

  get parts(): readonly Part[] {
    return this.manifest.parts;
  }

  /** A part's objects as they were archived, streamed; damage is thrown where it is met, at the latest at the end. */
  objects(part: Part, signal: AbortSignal): AsyncGenerator<Buffer> {
    return readPart(this.#storage, this.folder, part, signal);
  }

  /** Reads every part whole and proves its size, its digest, its count, and each line to be a JSON object. */
  async verify(signal: AbortSignal): Promise<void> {
    for (const part of this.parts) {
      let line = 0;
      for await (const object of this.objects(part, signal)) {
        line++;
        if (!isJsonObject(object)) throw damage(`${this.folder}/${part.file}`, `line ${line} is no JSON object`);
      }
    }
  }
}

/** A manifest names some hundred parts and a line for each claim; more than this is none of ours. */
const maxManifestSize = 64 * 1024 * 1024;

async function readSmall(storage: Pick<ArchiveStorage, "read">, key: string, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of (await storage.read(key, signal)) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxManifestSize) throw damage(key, `it is longer than ${maxManifestSize} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function readDigest(storage: Pick<ArchiveStorage, "read">, key: string, signal: AbortSignal): Promise<string> {
  try {
    const line = await readSmall(storage, key, signal);
    const digest = /^([0-9a-f]{64}) {2}manifest\.json\n$/.exec(line.toString("latin1"))?.[1];
    if (digest === undefined) throw damage(key, "it is not a digest and a file name");
    return digest;
  } catch (error) {
    if (error instanceof DrsError && error.code === "NOT_FOUND") throw damage(key, "it is missing", error);
    throw error;
  }
}

function parseManifest(bytes: Buffer, folder: string, file: string): Manifest {
  try {
    const value = JSON.parse(bytes.toString()) as { readonly formatVersion?: unknown } | null;
    if (typeof value?.formatVersion === "number" && value.formatVersion > formatVersion) {
      throw new DrsError(
        "FAILED_PRECONDITION",
        `${file} was written by a newer version of this service (format ${value.formatVersion}, this one reads up to ${formatVersion}): upgrade the service`,
      );
    }
    const manifest = checkManifest(value);
    const uuid = folder.startsWith(backupsFolder) ? folder.slice(backupsFolder.length) : undefined;
    if (uuid !== undefined && !manifest.backupCrn.endsWith(`:${uuid}`)) {
      throw new Error(`it belongs to another backup, ${manifest.backupCrn}`);
    }
    return manifest;
  } catch (error) {
    if (error instanceof DrsError) throw error;
    throw damage(file, error instanceof Error ? error.message : String(error), error);
  }
}

function isJsonObject(bytes: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
