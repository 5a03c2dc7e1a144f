import { createHash } from "node:crypto";
import { constants, createZstdCompress, type ZstdCompress } from "node:zlib";
import { DrsError } from "../errors.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import { digestFile, manifestFile, partFile } from "./archive-paths.ts";
import type { Manifest, Part, PartResource } from "./format.ts";
import { type Line, lineBatches } from "./line-batches.ts";
import { checkManifest } from "./manifest-check.ts";
import { through } from "./through.ts";

/**
 * Writes one archive into a folder of the storage, such as `backups/<uuid>`: its parts in any order, several at once,
 * then the manifest, which makes it an archive. What was written before under the same name is replaced.
 */
export class ArchiveWriter {
  readonly #storage: ArchiveStorage;
  readonly #folder: string;

  constructor(storage: ArchiveStorage, folder: string) {
    this.#storage = storage;
    this.#folder = folder;
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
    const file = partFile(resource);
    let count = 0;
    let size = 0;
    const hash = createHash("sha256");
    async function* measured(): AsyncGenerator<Buffer> {
      const lines = lineBatches(resumed(first.value, iterator), () => count++);
      for await (const chunk of through(lines, compressor(), signal)) {
        size += chunk.length;
        hash.update(chunk);
        yield chunk;
      }
    }
    try {
      await this.#storage.write(`${this.#folder}/${file}`, measured(), signal);
    } finally {
      await iterator.return?.(); // also when the storage did not begin to read
    }
    return { apiVersion, kind, resource: plural, namespaced, file, objects: count, size, sha256: hash.digest("hex") };
  }

  /**
   * Completes the archive. The digest goes first: a manifest that is there can be proven. INTERNAL, and nothing written,
   * for a manifest that a reader would refuse.
   */
  async writeManifest(manifest: Manifest, signal: AbortSignal): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
    proveReadable(bytes);
    const digest = createHash("sha256").update(bytes).digest("hex");
    const line = Buffer.from(`${digest}  ${manifestFile}\n`);
    await this.#storage.write(`${this.#folder}/${digestFile}`, once(line), signal);
    await this.#storage.write(`${this.#folder}/${manifestFile}`, once(bytes), signal);
  }

  /** Removes the archive, whole or unfinished; may run again. The manifest goes first: half an archive is none. */
  async delete(signal: AbortSignal): Promise<void> {
    await this.#storage.delete(`${this.#folder}/${manifestFile}`, signal);
    const rest = await Array.fromAsync(this.#storage.list(`${this.#folder}/`, signal));
    for (const key of rest) await this.#storage.delete(key, signal);
  }
}

/** JSON shrinks to a tenth at any level; the lowest keeps up with the API server on a fraction of a core. */
const compressionLevel = 1;
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
  } catch (error) {
    throw new DrsError("INTERNAL", `the manifest to be written is wrong: ${String(error)}`, { cause: error });
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
