import type { Archives } from "../archive/archives.ts";
import { type Copies, type CopiedVolume, copiesIn } from "../archive/copies-file.ts";
import { DamageError } from "../archive/damage.ts";
import type { JobContext } from "../jobs/phase.ts";

/**
 * The copies that an archive has; undefined where there are none, and where its file is damaged, which the log says: snapshots can be
 * used without it, and what it named can be copied again. Other errors as `readCopies`.
 */
export async function usableCopies(
  archives: Archives,
  folder: string,
  { info, signal }: Pick<JobContext, "info" | "signal">,
): Promise<Copies | undefined> {
  try {
    return await archives.copies(folder, signal);
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    info(`${error.message.split(";", 1)[0]}: its entries are ignored`);
    return undefined;
  }
}

/** The copies that an archive has, and those that come in: its file is written after each. */
export class KnownCopies {
  readonly #archives: Archives;
  readonly #folder: string;
  /** Whether the last copies went to another repository: what movers of that time do does not count, either. */
  readonly wereElsewhere: boolean;
  #copies: Copies;
  /** One write after the other. */
  #written: Promise<void> = Promise.resolve();

  private constructor(archives: Archives, folder: string, copies: Copies, wereElsewhere: boolean) {
    this.#archives = archives;
    this.#folder = folder;
    this.#copies = copies;
    this.wereElsewhere = wereElsewhere;
  }

  /** Those in another repository than this one do not count, and stay noted. Errors as `usableCopies`. */
  static async open(
    archives: Archives,
    folder: string,
    repository: string,
    context: Pick<JobContext, "info" | "signal">,
  ): Promise<KnownCopies> {
    const found = await usableCopies(archives, folder, context);
    const wereElsewhere = found !== undefined && found.repository !== repository;
    return new KnownCopies(archives, folder, copiesIn(repository, found), wereElsewhere);
  }

  has({ namespace, claim }: Pick<CopiedVolume, "namespace" | "claim">): boolean {
    return this.#copies.volumes.some((one) => one.namespace === namespace && one.claim === claim);
  }

  async add(volume: CopiedVolume, signal: AbortSignal): Promise<void> {
    this.#copies = { ...this.#copies, volumes: [...this.#copies.volumes, volume] };
    await this.write(signal);
  }

  async write(signal: AbortSignal): Promise<void> {
    const before = this.#written.catch(() => undefined);
    this.#written = before.then(() => this.#archives.setCopies(this.#folder, this.#copies, signal));
    await this.#written;
  }
}
