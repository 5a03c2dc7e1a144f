/** A piece of a stream, cut at a fixed length. */
export interface Block {
  /** One after the other, as they came: a block that is spread over chunks is not copied together. */
  readonly pieces: readonly Buffer[];
  readonly isLast: boolean;
}

/** Cuts a stream into blocks of `size` bytes. The last one may be shorter; it is empty only when the stream is. */
export async function* blocks(chunks: AsyncIterable<Buffer>, size: number): AsyncGenerator<Block> {
  let pieces: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length;) {
      // One that is full is kept until more comes, as it may be the last.
      if (length === size) {
        yield { pieces, isLast: false };
        pieces = [];
        length = 0;
      }
      const piece = chunk.subarray(start, start + size - length);
      pieces.push(piece);
      length += piece.length;
      start += piece.length;
    }
  }
  yield { pieces, isLast: true };
}
