import { Readable } from "node:stream";

/** The same bytes; an error on the way is thrown as what `translate` makes of it. Ends with the signal. */
export function translatedStream(
  source: Readable,
  translate: (error: unknown) => unknown,
  signal: AbortSignal,
): Readable {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source) yield chunk as Uint8Array;
    } catch (error) {
      throw translate(error);
    }
  }
  return Readable.from(chunks(), { objectMode: false, signal });
}
