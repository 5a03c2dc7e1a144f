const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/**
 * Splits `{"kind":...,"items":[...],...}` into its items' bytes while it arrives, without parsing any of them. What is
 * held is never more than one item and one chunk, so that a page of large objects needs no more memory than one of them.
 */
export class ListSplitter {
  /** From the first byte not yet given away. */
  #pending: Buffer = Buffer.alloc(0);
  #position = 0;
  #depth = 0;
  #inString = false;
  #stringStart = 0;
  #key = "";
  #inItems = false;
  #itemStart = -1;
  /** What is not an item: the list's own members. */
  readonly #head: Buffer[] = [];

  /** Takes a chunk; gives the items that end in it. */
  push(chunk: Uint8Array): Buffer[] {
    const buffer =
      this.#pending.length === 0
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
        : Buffer.concat([this.#pending, chunk]);
    const items: Buffer[] = [];
    let kept = 0;
    let at = this.#position;
    while (at < buffer.length) {
      if (this.#inString) {
        const end = buffer.indexOf(quote, at);
        if (end < 0) {
          at = buffer.length;
          break;
        }
        at = end + 1;
        if (isEscaped(buffer, end, this.#stringStart)) continue;
        this.#inString = false;
        if (this.#depth === 1) this.#key = buffer.toString("latin1", this.#stringStart, end);
        continue;
      }
      const byte = buffer[at];
      if (byte === quote) {
        this.#inString = true;
        this.#stringStart = at + 1;
      } else if (byte === openBrace || byte === openBracket) {
        if (this.#depth === 1 && byte === openBracket && this.#key === "items") {
          this.#inItems = true;
          this.#head.push(buffer.subarray(kept, at + 1));
          kept = at + 1;
        } else if (this.#depth === 2 && this.#inItems) this.#itemStart = at;
        this.#depth++;
      } else if (byte === closeBrace || byte === closeBracket) {
        this.#depth--;
        if (this.#depth === 2 && this.#inItems) {
          items.push(buffer.subarray(this.#itemStart, at + 1));
          this.#itemStart = -1;
          kept = at + 1;
        } else if (this.#depth === 1 && this.#inItems) {
          this.#inItems = false;
          kept = at; // the commas between the items belong to nobody
        }
      }
      at++;
    }
    this.#pending = buffer.subarray(kept);
    this.#position = at - kept;
    this.#stringStart -= kept;
    if (this.#itemStart >= 0) this.#itemStart -= kept;
    return items;
  }

  /** What the list says before its items; undefined while these have not begun. */
  start(): unknown {
    const [before] = this.#head;
    return before && JSON.parse(`${before.toString()}]}`);
  }

  /** The list without its items; throws a SyntaxError when what arrived is no complete JSON. */
  end(): unknown {
    return JSON.parse(Buffer.concat([...this.#head, this.#pending]).toString());
  }
}

function isEscaped(bytes: Buffer, at: number, from: number): boolean {
  let backslashes = 0;
  while (at - 1 - backslashes >= from && bytes[at - 1 - backslashes] === backslash) backslashes++;
  return backslashes % 2 === 1;
}
