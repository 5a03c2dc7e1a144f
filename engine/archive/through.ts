import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

/**
 * The chunks, run through a transform such as a compressor. Ends only when every chunk was read, also those the transform
 * had no use for. However it ends, the chunks' source is closed by then.
 */
export async function* through(
  chunks: AsyncIterable<Buffer>,
  transform: Transform,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const feeding = pipeline(chunks, transform, { signal });
  const settled = feeding.catch(() => undefined);
  try {
    yield* transform as AsyncIterable<Buffer>;
    await feeding;
  } finally {
    transform.destroy();
    await settled;
  }
}
