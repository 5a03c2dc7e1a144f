import { readFile } from "node:fs/promises";
import type { Logger } from "../../engine/logger.ts";

/** How often the files are looked at, in milliseconds. */
const interval = 1_000;

/**
 * A value parsed from files, parsed again when their content changes. A version that cannot be read or parsed is logged, once,
 * and the value stays what it was.
 *
 * The content is compared, and not times or events: that holds for a Secret's mount, whose files are links that are
 * swapped, for editors that rename, and for two files that are replaced one after the other.
 */
export class ReloadedFiles<Value> {
  readonly #paths: readonly string[];
  readonly #parse: (contents: readonly Buffer[]) => Value;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  readonly #listeners: ((value: Value) => void)[] = [];
  #value: Value;
  /** The result of the last look, good or not. */
  #contents: readonly Buffer[];
  /** Why the last look found nothing. */
  #unreadable = "";

  private constructor(
    paths: readonly string[],
    parse: (contents: readonly Buffer[]) => Value,
    log: Logger,
    contents: readonly Buffer[],
  ) {
    this.#paths = paths;
    this.#parse = parse;
    this.#log = log;
    this.#value = parse(contents);
    this.#contents = contents;
    this.#timer = setInterval(() => void this.#look(), interval).unref();
  }

  /**
   * Reads the files for the first time; rejects when they are not readable, or with what `parse` throws.
   *
   * @param parse Gets the files' contents in the order of `paths`.
   */
  static async open<Value>(
    paths: readonly string[],
    parse: (contents: readonly Buffer[]) => Value,
    log: Logger,
  ): Promise<ReloadedFiles<Value>> {
    return new ReloadedFiles(paths, parse, log, await readAll(paths));
  }

  get value(): Value {
    return this.#value;
  }

  /** Calls the listener with every later value. */
  onChange(listener: (value: Value) => void): void {
    this.#listeners.push(listener);
  }

  /** Stops watching. */
  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    let contents: readonly Buffer[];
    try {
      contents = await readAll(this.#paths);
      this.#unreadable = "";
    } catch (error) {
      const reason = String(error);
      if (reason !== this.#unreadable) this.#complain(error);
      this.#unreadable = reason;
      return;
    }
    if (contents.every((content, index) => content.equals(this.#contents[index] ?? Buffer.alloc(0)))) return;
    this.#contents = contents;
    try {
      this.#value = this.#parse(contents);
    } catch (error) {
      return this.#complain(error);
    }
    this.#log.info({ files: this.#paths }, "changed files taken");
    for (const listener of this.#listeners) listener(this.#value);
  }

  #complain(error: unknown): void {
    this.#log.error(
      { code: "DRS-C017", err: error, files: this.#paths },
      "changed files cannot be used, so the previous version stays in use",
    );
  }
}

function readAll(paths: readonly string[]): Promise<Buffer[]> {
  return Promise.all(paths.map((path) => readFile(path)));
}
