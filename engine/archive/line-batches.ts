import { DrsError } from "../errors.ts";
import { maxLineLength } from "./format.ts";

/** Compressing costs a thread's round trip a call, so small lines share one. */
const batchSize = 256 * 1024;
const newline = 0x0a;

/** An object's bytes; in pieces where something is put before them, so that they need not be copied for it. */
export type Line = Buffer | readonly Buffer[];

/**
 * Each object's bytes followed by a newline, in batches; `counted` gets the length of each with its newline. Throws INTERNAL
 * for an object that is empty or holds a newline itself: compact JSON has none, and a reader would take it for two; and
 * FAILED_PRECONDITION for one that a reader would take for damage.
 */
export async function* lineBatches(
  objects: AsyncIterable<Line>,
  counted: (length: number) => void,
): AsyncGenerator<Buffer> {
  let batch = Buffer.allocUnsafe(batchSize);
  let used = 0;
  for await (const line of objects) {
    const pieces = Buffer.isBuffer(line) ? [line] : line;
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (length === 0 || pieces.some((piece) => piece.includes(newline))) {
      throw new DrsError("INTERNAL", "an object to be archived is empty or holds a raw newline");
    }
    if (length > maxLineLength) {
      throw new DrsError(
        "FAILED_PRECONDITION",
        `an object has ${length} bytes: the API server would not take it back`,
        { id: "DRS-B006" },
      );
    }
    counted(length + 1);
    if (used + length + 1 > batch.length) {
      if (used > 0) yield batch.subarray(0, used);
      // A new one each time: the compressor may still be reading the last.
      batch = Buffer.allocUnsafe(Math.max(batchSize, length + 1));
      used = 0;
    }
    for (const piece of pieces) used += piece.copy(batch, used);
    batch[used++] = newline;
  }
  if (used > 0) yield batch.subarray(0, used);
}
