import { connect, type Socket } from "node:net";

/** Frame types and flags of RFC 9113. */
export const frame = { headers: 1, resetStream: 3, settings: 4, ping: 6 } as const;
const endStreamAndHeaders = 0x05;
const cancel = Buffer.from([0, 0, 0, 8]);

export interface Frame {
  readonly type: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** An HTTP/2 client that sends arbitrary frames, as no library would. */
export class RawHttp2 {
  readonly socket: Socket;
  /** What the server has sent so far. */
  readonly received: Frame[] = [];
  #rest = Buffer.alloc(0);

  constructor(url: string) {
    this.socket = connect(Number(new URL(url).port), "127.0.0.1");
    this.socket.on("error", () => undefined).on("data", (chunk: Buffer) => this.#read(chunk));
    this.socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    this.send(frame.settings, 0, Buffer.alloc(0));
  }

  send(type: number, stream: number, payload: Buffer, flags = 0): void {
    this.socket.write(encode(type, stream, payload, flags));
  }

  /** A whole POST without a body. */
  post(stream: number, path: string): void {
    this.send(frame.headers, stream, headerBlock(path), endStreamAndHeaders);
  }

  cancel(stream: number): void {
    this.send(frame.resetStream, stream, cancel);
  }

  /** The error codes with which the server has reset a stream. */
  resetsOf(stream: number): number[] {
    const resets = this.received.filter(({ type, stream: of }) => type === frame.resetStream && of === stream);
    return resets.map(({ payload }) => payload.readUInt32BE(0));
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      const stream = this.#rest.readUInt32BE(5);
      this.received.push({ type: this.#rest.readUInt8(3), stream, payload: this.#rest.subarray(9, end) });
      this.#rest = this.#rest.subarray(end);
    }
  }
}

export function encode(type: number, stream: number, payload: Buffer, flags = 0): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK's static table has the method, the scheme and the names (RFC 7541, appendix A). */
function headerBlock(path: string): Buffer {
  return Buffer.concat([Buffer.from([0x83, 0x86]), literal(0x01, "localhost"), literal(0x04, path)]);
}

function literal(name: number, value: string): Buffer {
  return Buffer.from([name, value.length, ...Buffer.from(value)]);
}
