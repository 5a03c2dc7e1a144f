import { stripVTControlCharacters, styleText } from "node:util";

/** As wide as any terminal is. */
const width = 80;

/** Where the demo writes, 80 columns wide: on a terminal the last line may move, elsewhere only whole lines are written. */
export class Screen {
  readonly #out: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  #moving = false;

  constructor(out: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }) {
    this.#out = out;
  }

  get isTerminal(): boolean {
    return this.#out.isTTY === true;
  }

  /** Writes a text permanently, in the moving line's place if there is one: as many lines as it takes. */
  line(text = ""): void {
    this.#out.write(`${this.#moving ? "\r\u001B[K" : ""}${wrapped(text).join("\n")}\n`);
    this.#moving = false;
  }

  heading(text: string): void {
    this.line();
    this.line(this.style("bold", text));
  }

  /** Shows a text that the next one replaces; only on a terminal. */
  move(text: string): void {
    if (!this.isTerminal) return;
    this.#out.write(`\r\u001B[K${text.slice(0, Math.min(this.#out.columns || width, width) - 1)}`);
    this.#moving = true;
  }

  /** Colours a text where the terminal and the user's NO_COLOR let it. */
  style(format: "bold" | "dim" | "green" | "red" | "yellow", text: string): string {
    return this.isTerminal ? styleText(format, text) : text;
  }
}

/** A bar, eight columns long. */
export function bar(done: number, total: number): string {
  const length = 8;
  const full = total === 0 ? length : Math.min(length, Math.round((length * done) / total));
  return "█".repeat(full) + "░".repeat(length - full);
}

/** A text in lines that fit, each below the first one's text. A word that fits no line is cut in pieces. */
function wrapped(text: string): readonly string[] {
  const indent = " ".repeat(/^ *([✔✘!] )?/.exec(stripVTControlCharacters(text))?.[0].length ?? 0);
  const lines: string[] = [];
  let line = "";
  const begin = (text: string) => {
    for (line = text; columns(line) > width; line = indent + line.slice(width)) lines.push(line.slice(0, width));
  };
  const [first = "", ...words] = text.split(" ");
  begin(first);
  for (const word of words) {
    if (columns(line) + 1 + columns(word) <= width) line += ` ${word}`;
    else if (word !== "") {
      if (line.trim() !== "") lines.push(line);
      begin(indent + word);
    }
  }
  return [...lines, line];
}

function columns(text: string): number {
  return stripVTControlCharacters(text).length;
}
