/** A piece of a stream, cut at a fixed length. */
export interface Block {
  readonly bytes: Buffer;
  readonly isLast: boolean;
}

/** Cuts a stream into blocks of `size` bytes. The last one may be shorter; it is empty only when the stream is. */
export async function* blocks(chunks: AsyncIterable<Buffer>, size: number): AsyncGenerator<Block> {
  let pending: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    pending.push(chunk);
    length += chunk.length;
    if (length <= size) continue;
    const whole = Buffer.concat(pending);
    let start = 0;
    // One that is full is kept until more comes, as it may be the last.
    for (; length - start > size; start += size) yield { bytes: whole.subarray(start, start + size), isLast: false };
    pending = [whole.subarray(start)];
    length -= start;
  }
  yield { bytes: Buffer.concat(pending), isLast: true };
}
