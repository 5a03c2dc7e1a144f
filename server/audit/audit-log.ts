import { closeSync, fchmodSync, fstatSync, fsyncSync, openSync, writeSync } from "node:fs";

const newline = Buffer.from("\n");

/**
 * A file that lines are appended to and nobody but its user can read, or standard output for the path `-`. Everything
 * throws what the file system throws.
 *
 * Writing is synchronous: lines are in the order of their events, and each change is written before it is made.
 */
export class AuditLog {
  readonly #path: string;
  #descriptor: number;
  #isFile: boolean;
  /** Whether the last line may have been cut off, so that the next one begins with the end of that. */
  #isTorn = false;

  constructor(path: string) {
    this.#path = path;
    [this.#descriptor, this.#isFile] = open(path);
  }

  /** Appends a line, whole when this returns. */
  append(line: string): void {
    const bytes = Buffer.concat([...(this.#isTorn ? [newline] : []), Buffer.from(line), newline]);
    this.#isTorn = true;
    for (let written = 0; written < bytes.length;) written += writeSync(this.#descriptor, bytes, written);
    this.#isTorn = false;
  }

  /** Waits until the lines are on the disk. A pipe has none. */
  sync(): void {
    if (this.#isFile) fsyncSync(this.#descriptor);
  }

  /** Goes on in a new file of the same name, once the old one has been renamed. Keeps the old one when it cannot. */
  reopen(): void {
    if (this.#path === "-") return;
    const former = this.#descriptor;
    [this.#descriptor, this.#isFile] = open(this.#path);
    this.#isTorn = false;
    closeSync(former);
  }

  close(): void {
    if (this.#path !== "-") closeSync(this.#descriptor);
  }
}

function open(path: string): [descriptor: number, isFile: boolean] {
  const descriptor = path === "-" ? 1 : openSync(path, "a", 0o600);
  const isFile = fstatSync(descriptor).isFile();
  // Also one that was there already.
  if (isFile && path !== "-") fchmodSync(descriptor, 0o600);
  return [descriptor, isFile];
}
