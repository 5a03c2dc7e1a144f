import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { constants, createZstdDecompress } from "node:zlib";
import { DrsError } from "../errors.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import { damage } from "./damage.ts";
import { maxLineLength, type Part } from "./format.ts";
import { lines } from "./lines.ts";
import { through } from "./through.ts";

const outputSize = 256 * 1024;
/** 8 MiB, which every decoder must support, and more than the writer uses. https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1.2 */
const maxWindowLog = 23;

/** Turns the stored bytes back into compressed ones: decryption, or nothing. */
export type Decrypt = (stored: AsyncIterable<Buffer>, file: string) => AsyncIterable<Buffer>;

/**
 * A part's objects, in order, as the bytes that were archived. Streams: memory does not grow with the part, nor with what it
 * says to be. Throws DATA_LOSS where it meets damage, and at the end when size, digest or count are not the manifest's; so
 * the objects given out are proven only when the iteration has ended.
 */
export async function* readPart(
  storage: Pick<ArchiveStorage, "read">,
  folder: string,
  part: Part,
  decrypt: Decrypt,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const file = `${folder}/${part.file}`;
  const damaged = (reason: string, cause?: unknown): never => {
    throw damage(file, reason, cause);
  };
  let count = 0;
  try {
    const stored = await storage.read(file, signal);
    const decompressor = createZstdDecompress({
      chunkSize: outputSize,
      params: { [constants.ZSTD_d_windowLogMax]: maxWindowLog },
    });
    const unpacked = through(decrypt(proven(stored, part, damaged), file), decompressor, signal);
    for await (const line of lines(bounded(unpacked, part, damaged), maxLineLength, damaged)) {
      if (++count > part.objects) damaged(`it holds more than the manifest's ${part.objects} objects`);
      yield line;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    if (!(error instanceof DrsError)) damaged("it cannot be decompressed", error);
    else if (error.code === "NOT_FOUND") damaged("it is missing", error);
    throw error;
  }
  if (count !== part.objects) damaged(`it holds ${count} objects, the manifest says ${part.objects}`);
}

/** Passes the stored bytes on and compares them with the manifest at their end. */
async function* proven(stored: Readable, part: Part, damaged: (reason: string) => never): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of stored as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > part.size) damaged(`it is longer than the manifest's ${part.size} bytes`);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== part.size) damaged(`it is cut off: it has ${size} bytes, the manifest says ${part.size}`);
  if (hash.digest("hex") !== part.sha256) damaged("its checksum is not the manifest's");
}

/** Passes no more on than the manifest says: a few bytes may unpack to any number. */
async function* bounded(
  unpacked: AsyncIterable<Buffer>,
  { uncompressed, objects }: Part,
  damaged: (reason: string) => never,
): AsyncGenerator<Buffer> {
  const limit = uncompressed ?? objects * (maxLineLength + 1);
  let size = 0;
  for await (const chunk of unpacked) {
    size += chunk.length;
    if (size > limit) damaged(`it unpacks to more than the manifest's ${limit} bytes`);
    yield chunk;
  }
  if (uncompressed !== undefined && size !== uncompressed)
    damaged(`it unpacks to ${size} bytes, the manifest says ${uncompressed}`);
}
