import { createHash } from "node:crypto";
import type { ArchiveEncryption } from "../encryption/archive-encryption.ts";
import { DrsError } from "../errors.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import { backupsFolder, digestFile, manifestFile } from "./archive-paths.ts";
import { damage, reasonOf } from "./damage.ts";
import { formatVersion, type Manifest, maxManifestLength, type Part, encryptedFormatVersion } from "./format.ts";
import type { KnownArchives } from "./known-archives.ts";
import { checkManifest } from "./manifest-check.ts";
import { type Decrypt, readPart } from "./part-reader.ts";
import { decryptFile } from "./encrypted-file.ts";
import { decryptManifest } from "./encrypted-manifest.ts";

/** A check of a part's object beyond JSON; throws an Error with the reason of a refusal. */
export type ObjectCheck = (part: Part, object: object, bytes: Buffer) => void;

/** Reads one archive. Its output is proven against the archive's own digests; errors name the file. */
export class ArchiveReader {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Whether nobody else can have made it: its key proves it, or it is the one that was written here. */
  readonly isAuthentic: boolean;
  readonly #storage: Pick<ArchiveStorage, "read">;
  readonly #decrypt: Decrypt;

  private constructor(storage: Pick<ArchiveStorage, "read">, folder: string, opened: Opened) {
    this.#storage = storage;
    this.folder = folder;
    this.manifest = opened.manifest;
    this.isAuthentic = opened.isAuthentic;
    this.#decrypt = opened.decrypt;
  }

  /**
   * Reads and proves the manifest; the parts are not looked at yet. NOT_FOUND when there is no manifest, and so no
   * archive; FAILED_PRECONDITION when a newer service wrote it, when `encryption` does not have its key, and when it is not
   * encrypted though it has to be; DATA_LOSS when it is damaged, not the one written here, or not the one that is `known`.
   */
  static async open(
    storage: Pick<ArchiveStorage, "read">,
    folder: string,
    signal: AbortSignal,
    encryption?: ArchiveEncryption,
    known?: KnownArchives,
  ): Promise<ArchiveReader> {
    const file = `${folder}/${manifestFile}`;
    const bytes = await readSmall(storage, file, signal);
    const digest = await readDigest(storage, `${folder}/${digestFile}`, signal);
    if (createHash("sha256").update(bytes).digest("hex") !== digest) {
      throw damage(file, `its checksum is not the one in ${digestFile}`);
    }
    const outer = parse(bytes, file);
    if (outer.formatVersion !== encryptedFormatVersion) {
      if (encryption?.readsUnencrypted === false) throw unencrypted(folder);
      const manifest = manifestOf(outer, folder, file);
      const isAuthentic = known?.recognise(folder, digest, false) ?? false;
      return new ArchiveReader(storage, folder, { manifest, isAuthentic, decrypt: (stored) => stored });
    }
    const keys = encryption?.keys;
    const inner = parse(await decryptManifest(outer, file, keys), file);
    const manifest = manifestOf(inner, folder, file);
    known?.recognise(folder, digest, true);
    const decrypt: Decrypt = (stored, part) => decryptFile(stored, part, keys);
    return new ArchiveReader(storage, folder, { manifest, isAuthentic: true, decrypt });
  }

  get parts(): readonly Part[] {
    return this.manifest.parts;
  }

  /** A part's objects as they were archived, streamed; damage is thrown where it is met, at the latest at the end. */
  objects(part: Part, signal: AbortSignal): AsyncGenerator<Buffer> {
    return readPart(this.#storage, this.folder, part, this.#decrypt, signal);
  }

  /**
   * Reads every part whole and proves its size, its digest, its count, and each line to be a JSON object that passes the
   * check; DATA_LOSS names the part and the line.
   */
  async verify(signal: AbortSignal, check: ObjectCheck = () => {}, parts = this.parts): Promise<void> {
    for (const part of parts) {
      let line = 0;
      for await (const bytes of this.objects(part, signal)) {
        line++;
        try {
          check(part, parseObject(bytes), bytes);
        } catch (error) {
          throw damage(`${this.folder}/${part.file}`, `line ${line}: ${reasonOf(error)}`, error);
        }
      }
    }
  }
}

async function readSmall(storage: Pick<ArchiveStorage, "read">, key: string, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of (await storage.read(key, signal)) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxManifestLength) throw damage(key, `it is longer than ${maxManifestLength} bytes`);
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

interface Opened {
  readonly manifest: Manifest;
  readonly isAuthentic: boolean;
  readonly decrypt: Decrypt;
}

interface Versioned {
  readonly formatVersion?: unknown;
}

/** A JSON object, unless it says that its version is newer than the newest that is known. */
function parse(bytes: Buffer, file: string): Versioned {
  let value: Versioned;
  try {
    value = parseObject(bytes);
  } catch (error) {
    throw damage(file, reasonOf(error), error);
  }
  if (typeof value.formatVersion !== "number" || value.formatVersion <= formatVersion) return value;
  throw new DrsError(
    "FAILED_PRECONDITION",
    `${file} was written by a newer version of this service (format ${value.formatVersion}, this one reads up to ${formatVersion}): upgrade the service`,
    { id: "DRS-A001" },
  );
}

function manifestOf(value: Versioned, folder: string, file: string): Manifest {
  try {
    const manifest = checkManifest(value);
    const uuid = folder.startsWith(backupsFolder) ? folder.slice(backupsFolder.length) : undefined;
    if (uuid !== undefined && !manifest.backupCrn.endsWith(`:${uuid}`)) {
      throw new Error(`it belongs to another backup, ${manifest.backupCrn}`);
    }
    return manifest;
  } catch (error) {
    throw damage(file, reasonOf(error), error);
  }
}

function unencrypted(folder: string): DrsError {
  return new DrsError(
    "FAILED_PRECONDITION",
    `${folder} is not encrypted, so anyone who can write to the storage may have made it: if you trust it, start the service with --unencrypted-archives read`,
    { id: "DRS-A007" },
  );
}

function parseObject(bytes: Buffer): object {
  const value: unknown = JSON.parse(bytes.toString());
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("it is not a JSON object");
  return value;
}
