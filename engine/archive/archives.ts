import type { ArchiveEncryption } from "../encryption/archive-encryption.ts";
import { DrsError } from "../errors.ts";
import type { ArchiveStorage } from "../storage/archive-storage.ts";
import { ArchiveReader } from "./archive-reader.ts";
import { ArchiveWriter } from "./archive-writer.ts";
import { type Copies, readCopies, writeCopies } from "./copies-file.ts";
import type { KnownArchives } from "./known-archives.ts";
import { knownFiles } from "./known-files.ts";

/** The archives in a storage, and the keys that they are written and read with: what jobs know of either. */
export class Archives {
  readonly #storage: ArchiveStorage;
  readonly #encryption: ArchiveEncryption | undefined;
  readonly #known: KnownArchives | undefined;

  /**
   * Without `encryption` archives are written as they are, and encrypted ones cannot be read. Without `known` any archive
   * is believed to be the one that belongs there.
   */
  constructor(storage: ArchiveStorage, encryption?: ArchiveEncryption, known?: KnownArchives) {
    this.#storage = storage;
    this.#encryption = encryption;
    this.#known = known;
  }

  writer(folder: string): ArchiveWriter {
    return new ArchiveWriter(this.#storage, folder, this.#encryption?.keys, this.#known);
  }

  /** Errors as `ArchiveReader.open`. */
  open(folder: string, signal: AbortSignal): Promise<ArchiveReader> {
    return ArchiveReader.open(this.#storage, folder, signal, this.#encryption, this.#known);
  }

  /** The same for an archive that has been there: a missing one is UNAVAILABLE, gone with its storage. */
  openAgain(folder: string, signal: AbortSignal): Promise<ArchiveReader> {
    return ArchiveReader.open(knownFiles(this.#storage), folder, signal, this.#encryption, this.#known);
  }

  /** The copies of its volumes' data that an archive has; see `readCopies`. */
  copies(folder: string, signal: AbortSignal): Promise<Copies | undefined> {
    return readCopies(this.#storage, folder, this.#encryption?.keys, signal);
  }

  /** See `writeCopies`. INTERNAL without encryption. */
  async setCopies(folder: string, copies: Copies, signal: AbortSignal): Promise<void> {
    if (!this.#encryption) throw new DrsError("INTERNAL", "copies need an encryption key");
    await writeCopies(this.#storage, folder, copies, this.#encryption.keys, signal);
  }
}
