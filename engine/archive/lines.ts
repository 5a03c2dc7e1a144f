/**
 * Splits a stream of bytes at its newlines. A line is a view of the chunk it came in where it can be. Calls `damaged`,
 * which throws, for a line past the limit, and for an end without a newline.
 */
export async function* lines(
  chunks: AsyncIterable<Buffer>,
  maxLength: number,
  damaged: (reason: string) => never,
): AsyncGenerator<Buffer> {
  let begun: Buffer[] = [];
  let begunLength = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      const line = chunk.subarray(start, end);
      if (begunLength + line.length > maxLength) damaged(`a line is longer than ${maxLength} bytes`);
      start = end + 1;
      if (begunLength === 0) {
        yield line;
      } else {
        yield Buffer.concat([...begun, line]);
        begun = [];
        begunLength = 0;
      }
    }
    if (start < chunk.length) {
      begun.push(chunk.subarray(start));
      begunLength += chunk.length - start;
      if (begunLength > maxLength) damaged(`a line is longer than ${maxLength} bytes`);
    }
  }
  if (begunLength > 0) damaged("its last line is cut off");
}

const newline = 0x0a;
