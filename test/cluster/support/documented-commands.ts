import { readFile } from "node:fs/promises";
import { join } from "node:path";

const docs = join(import.meta.dirname, "../../../docs");

/** The commands of a section of a page in docs/ as they stand, in their order, to be run as one script. */
export async function documentedCommands(heading: string, page = "operations.md"): Promise<string> {
  const [, section] =
    new RegExp(`^## ${heading}\\n([^]*?)^## `, "m").exec(await readFile(join(docs, page), "utf8")) ?? [];
  if (section === undefined) throw new Error(`docs/${page} has no section "${heading}"`);
  return section
    .split("\n")
    .filter((line) => line.startsWith("    "))
    .map((line) => `${line.slice(4)}\n`)
    .join("");
}

/** The settings of a page's one block in `sh`, with these values in the place of its examples, each of which has to be there. */
export async function documentedSettings(page: string, values: Readonly<Record<string, string>>): Promise<string> {
  const [, block = ""] = /^```sh\n([^]*?)^```/m.exec(await readFile(join(docs, page), "utf8")) ?? [];
  return block.replaceAll(/^(\w+)=.*$/gm, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`docs/${page} has ${name}, and the test no value for it`);
    return `${name}=${value}`;
  });
}
