import { readFile } from "node:fs/promises";
import { join } from "node:path";

const page = join(import.meta.dirname, "../../../docs/operations.md");

/** The commands of a section of docs/operations.md as they stand, in their order, to be run as one script. */
export async function documentedCommands(heading: string): Promise<string> {
  const [, section] = new RegExp(`^## ${heading}\\n([^]*?)^## `, "m").exec(await readFile(page, "utf8")) ?? [];
  if (section === undefined) throw new Error(`docs/operations.md has no section "${heading}"`);
  return section
    .split("\n")
    .filter((line) => line.startsWith("    "))
    .map((line) => `${line.slice(4)}\n`)
    .join("");
}
