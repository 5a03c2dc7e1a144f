import type { Readable } from "node:stream";

/**
 * Where archives lie: files by slash-separated keys (`backups/<uuid>/manifest.json`), a folder's or a bucket's.
 *
 * One suite of tests (`test/contract/archive-storage.ts`) holds for every implementation. Errors: NOT_FOUND for a key
 * that is not there, UNAVAILABLE for what may pass (network, throttling), RESOURCE_EXHAUSTED for a full disk or quota,
 * PERMISSION_DENIED, INTERNAL for the rest; each names the storage and the key.
 */
export interface ArchiveStorage {
  /** A name for people: `folder /data/archives`, `bucket drs at https://...`. Never a credential. */
  readonly description: string;
  /**
   * Writes a file whole or not at all: when the promise resolves it is durable under its key, and until then the key
   * shows what it showed before. An existing file is replaced. Memory does not grow with its length.
   */
  write(key: string, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  /** Opens a file from its start. Rejects with NOT_FOUND before the stream is given out. */
  read(key: string, signal: AbortSignal): Promise<Readable>;
  /** How many bytes a file has. */
  size(key: string, signal: AbortSignal): Promise<number>;
  /** The keys below a prefix that ends in a slash, all depths, in key order. Unfinished writes are not among them. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<string>;
  /** The names directly below a prefix that ends in a slash, without the prefix: files, and folders (`name/`). */
  listFolder(prefix: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Removes a file durably; one that is not there is no error. */
  delete(key: string, signal: AbortSignal): Promise<void>;
  /** Proves that files can be written, read and deleted here; throws what `write` would. */
  check(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
