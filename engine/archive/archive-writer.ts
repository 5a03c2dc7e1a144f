import { createHash } from "node:crypto";
import { constants, createZstdCompress, type ZstdCompress } from "node:zlib";
import type { KeyRing } from "../encryption/key-ring.ts";
import { DrsError } from "../errors.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import { digestFile, manifestFile, partFile, encryptedSuffix } from "./archive-paths.ts";
import { type Manifest, maxManifestLength, type Part, type PartResource } from "./format.ts";
import type { KnownArchives } from "./known-archives.ts";
import { knownFiles } from "./known-files.ts";
import { type Line, lineBatches } from "./line-batches.ts";
import { checkManifest } from "./manifest-check.ts";
import { encryptFile } from "./encrypted-file.ts";
import { encryptManifest } from "./encrypted-manifest.ts";
import { through } from "./through.ts";

/**
 * Writes one archive into a folder of the storage, such as `backups/<uuid>`: its parts in any order, several at once,
 * then the manifest, which makes it an archive. Earlier files under the same names are replaced. All of it is
 * encrypted with the current one of `keys`; without them it is not encrypted.
 */
export class ArchiveWriter {
  readonly #storage: ArchiveStorage;
  readonly #folder: string;
  readonly #keys: KeyRing | undefined;
  readonly #known: KnownArchives | undefined;

  constructor(storage: ArchiveStorage, folder: string, keys?: KeyRing, known?: KnownArchives) {
    this.#storage = storage;
    this.#folder = folder;
    this.#keys = keys;
    this.#known = known;
  }

  /**
   * Writes a resource's objects, each one compact JSON without a newline, in one piece or several, as they come: no more than a few batches are in
   * memory. Returns null, and writes nothing, when there are none. A failure or a cancellation leaves no part, closes
   * `objects` and passes their error on.
   */
  async writePart(resource: PartResource, objects: AsyncIterable<Line>, signal: AbortSignal): Promise<Part | null> {
    const iterator = objects[Symbol.asyncIterator]();
    const first = await iterator.next();
    if (first.done === true) return null;
    const { apiVersion, kind, resource: plural, namespaced } = resource;
    const current = this.#keys?.current;
    const file = partFile(resource) + (current ? encryptedSuffix : "");
    const key = `${this.#folder}/${file}`;
    let count = 0;
    let uncompressed = 0;
    let size = 0;
    const hash = createHash("sha256");
    async function* measured(): AsyncGenerator<Buffer> {
      const lines = lineBatches(resumed(first.value, iterator), (length) => {
        count++;
        uncompressed += length;
      });
      const compressed = through(lines, compressor(), signal);
      for await (const chunk of current ? encryptFile(compressed, key, current) : compressed) {
        size += chunk.length;
        hash.update(chunk);
        yield chunk;
      }
    }
    try {
      await this.#storage.write(key, measured(), signal);
    } finally {
      await iterator.return?.(); // also when the storage did not begin to read
    }
    const sha256 = hash.digest("hex");
    return { apiVersion, kind, resource: plural, namespaced, file, objects: count, size, sha256, uncompressed };
  }

  /**
   * Completes the archive. The digest goes first: a manifest that is there can be proven. Nothing is written while a part is
   * not there (UNAVAILABLE), or not whole (DATA_LOSS), nor a manifest that a reader would refuse (INTERNAL).
   */
  async writeManifest(manifest: Manifest, signal: AbortSignal): Promise<void> {
    const plain = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
    proveReadable(plain);
    await forEachInFlight(manifest.parts, looksAtOnce, (part) => this.#proveWhole(part, signal));
    const current = this.#keys?.current;
    const file = `${this.#folder}/${manifestFile}`;
    const bytes = current ? await encryptManifest(plain, manifest.parts, file, current) : plain;
    const digest = createHash("sha256").update(bytes).digest("hex");
    const line = Buffer.from(`${digest}  ${manifestFile}\n`);
    this.#known?.wrote(this.#folder, digest);
    await this.#storage.write(`${this.#folder}/${digestFile}`, once(line), signal);
    await this.#storage.write(file, once(bytes), signal);
  }

  /** The storage may have gone, or been exchanged, since the part was written. */
  async #proveWhole({ file, size }: Part, signal: AbortSignal): Promise<void> {
    const key = `${this.#folder}/${file}`;
    const found = await knownFiles(this.#storage).size(key, signal);
    if (found === size) return;
    throw new DrsError(
      "DATA_LOSS",
      `${key} in ${this.#storage.description} has ${found} bytes instead of the ${size} written`,
      { id: "DRS-A008" },
    );
  }

  /** Removes the archive, whole or unfinished; may run again. The manifest goes first: half an archive is none. */
  async delete(signal: AbortSignal): Promise<void> {
    await this.#storage.delete(`${this.#folder}/${manifestFile}`, signal);
    const rest = await Array.fromAsync(this.#storage.list(`${this.#folder}/`, signal));
    for (const key of rest) await this.#storage.delete(key, signal);
    this.#known?.forget(this.#folder);
  }
}

/** JSON shrinks to a tenth at any level; the lowest keeps up with the API server on a fraction of a core. */
const compressionLevel = 1;
const looksAtOnce = 8;
const outputSize = 128 * 1024;

function compressor(): ZstdCompress {
  return createZstdCompress({
    chunkSize: outputSize,
    params: {
      [constants.ZSTD_c_compressionLevel]: compressionLevel,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
}

async function* resumed<T>(first: T, rest: AsyncIterator<T>): AsyncGenerator<T> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

function proveReadable(manifest: Buffer): void {
  try {
    checkManifest(JSON.parse(manifest.toString()));
    if (manifest.length > maxManifestLength) throw new Error(`it has ${manifest.length} bytes`);
  } catch (error) {
    throw new DrsError("INTERNAL", `the manifest to be written is wrong: ${String(error)}`, { cause: error });
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
