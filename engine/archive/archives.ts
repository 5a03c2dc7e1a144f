import type { ArchiveEncryption } from "../encryption/archive-encryption.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import { ArchiveReader } from "./archive-reader.ts";
import { ArchiveWriter } from "./archive-writer.ts";
import { knownFiles } from "./known-files.ts";

/** The archives in a storage, and the keys that they are written and read with: what jobs know of either. */
export class Archives {
  readonly #storage: ArchiveStorage;
  readonly #encryption: ArchiveEncryption | undefined;

  /** Without `encryption` archives are written as they are, and encrypted ones cannot be read. */
  constructor(storage: ArchiveStorage, encryption?: ArchiveEncryption) {
    this.#storage = storage;
    this.#encryption = encryption;
  }

  writer(folder: string): ArchiveWriter {
    return new ArchiveWriter(this.#storage, folder, this.#encryption?.keys);
  }

  /** Errors as `ArchiveReader.open`. */
  open(folder: string, signal: AbortSignal): Promise<ArchiveReader> {
    return ArchiveReader.open(this.#storage, folder, signal, this.#encryption);
  }

  /** The same for an archive that has been there: what is gone is away with its storage, and UNAVAILABLE. */
  openAgain(folder: string, signal: AbortSignal): Promise<ArchiveReader> {
    return ArchiveReader.open(knownFiles(this.#storage), folder, signal, this.#encryption);
  }
}
