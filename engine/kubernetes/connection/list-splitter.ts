const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/**
 * Splits `{"kind":...,"items":[...],...}` into its items' bytes while it arrives, without parsing any of them. It
 * never holds more than one item and one chunk, so that a page of large objects needs no more memory than one of them.
 * An item is copied only where it began in an earlier chunk.
 */
export class ListSplitter {
  #depth = 0;
  #inString = false;
  /** How many backslashes the string that is open ended in, in the last chunk. */
  #backslashes = 0;
  /** The latest string of the list's own members, as far as it is known. */
  #key = "";
  #inItems = false;
  #inItem = false;
  /** The open item's bytes from earlier chunks. */
  #itemStart: Buffer[] = [];
  /** The list's own members, before the items and after them. */
  readonly #head: Buffer[] = [];
  #piecesBeforeItems = 0;

  /** Takes a chunk; gives the items that end in it. */
  push(chunk: Uint8Array): Buffer[] {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const items: Buffer[] = [];
    /** Where the open item, or else the list's own part, begins in this chunk. */
    let from = 0;
    let stringFrom = 0;
    for (let at = 0; at < buffer.length; at++) {
      if (this.#inString) {
        const end = buffer.indexOf(quote, at);
        if (end < 0) break;
        at = end;
        if (this.#backslashesBefore(buffer, end, stringFrom) % 2 === 1) continue;
        if (this.#depth === 1) this.#key += buffer.toString("latin1", stringFrom, end);
        this.#inString = false;
        continue;
      }
      const byte = buffer[at];
      if (byte === quote) {
        this.#inString = true;
        this.#backslashes = 0;
        stringFrom = at + 1;
        if (this.#depth === 1) this.#key = "";
      } else if (byte === openBrace || byte === openBracket) {
        if (this.#depth === 1 && byte === openBracket && this.#key === "items") {
          this.#inItems = true;
          this.#piecesBeforeItems = this.#head.push(buffer.subarray(from, at + 1));
        } else if (this.#depth === 2 && this.#inItems) {
          this.#inItem = true;
          from = at;
        }
        this.#depth++;
      } else if (byte === closeBrace || byte === closeBracket) {
        this.#depth--;
        if (this.#depth === 2 && this.#inItem) {
          const end = buffer.subarray(from, at + 1);
          items.push(this.#itemStart.length === 0 ? end : Buffer.concat([...this.#itemStart, end]));
          this.#itemStart = [];
          this.#inItem = false;
        } else if (this.#depth === 1 && this.#inItems) {
          this.#inItems = false;
          from = at; // the commas between the items belong to nobody
        }
      }
    }
    if (this.#inString) {
      if (this.#depth === 1) this.#key += buffer.toString("latin1", stringFrom);
      this.#backslashes = this.#backslashesBefore(buffer, buffer.length, stringFrom);
    }
    if (this.#inItem) this.#itemStart.push(buffer.subarray(from));
    else if (!this.#inItems) this.#head.push(buffer.subarray(from));
    return items;
  }

  /** The list's members before its items; undefined while these have not begun. */
  start(): unknown {
    if (this.#piecesBeforeItems === 0) return undefined;
    return JSON.parse(`${Buffer.concat(this.#head.slice(0, this.#piecesBeforeItems)).toString()}]}`);
  }

  /** The list without its items; throws a SyntaxError when what arrived is no complete JSON. */
  end(): unknown {
    return JSON.parse(Buffer.concat([...this.#head, ...this.#itemStart]).toString());
  }

  /** Of the open string, those right before a place; `from` is where it begins in this chunk. */
  #backslashesBefore(bytes: Buffer, at: number, from: number): number {
    let first = at;
    while (first > from && bytes[first - 1] === backslash) first--;
    return at - first + (first === 0 ? this.#backslashes : 0);
  }
}
