import { Readable } from "node:stream";

/**
 * The same bytes; an error on the way is thrown as what `translate` makes of it. Ends with the signal, but only while it
 * is read: a stream that fails when nobody listens ends the process.
 */
export function translatedStream(
  source: Readable,
  translate: (error: unknown) => unknown,
  signal: AbortSignal,
): Readable {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source) {
        signal.throwIfAborted();
        yield chunk as Uint8Array;
      }
    } catch (error) {
      throw translate(error);
    }
  }
  return Readable.from(chunks(), { objectMode: false });
}
