import { styleText } from "node:util";

/** Where the demo writes: on a terminal the last line may move, elsewhere only whole lines are written. */
export class Screen {
  readonly #out: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  #moving = false;

  constructor(out: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }) {
    this.#out = out;
  }

  get isTerminal(): boolean {
    return this.#out.isTTY === true;
  }

  /** Writes a line for good, in the moving line's place if there is one. */
  line(text = ""): void {
    this.#out.write(`${this.#moving ? "\r\u001B[K" : ""}${text}\n`);
    this.#moving = false;
  }

  heading(text: string): void {
    this.line();
    this.line(this.style("bold", text));
  }

  /** Shows a text that the next one replaces; only on a terminal. */
  move(text: string): void {
    if (!this.isTerminal) return;
    this.#out.write(`\r\u001B[K${text.slice(0, (this.#out.columns || 100) - 1)}`);
    this.#moving = true;
  }

  /** Colours a text where the terminal and the user's NO_COLOR let it. */
  style(format: "bold" | "dim" | "green" | "red" | "yellow", text: string): string {
    return this.isTerminal ? styleText(format, text) : text;
  }
}

/** A bar of the given width. */
export function bar(done: number, total: number, width = 20): string {
  const full = total === 0 ? width : Math.min(width, Math.round((width * done) / total));
  return "█".repeat(full) + "░".repeat(width - full);
}
