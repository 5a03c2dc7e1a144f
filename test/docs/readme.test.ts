import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const pages = ["README.md", "docs/operations.md", "docs/architecture.md", "docs/archive-format.md", "docs/security.md"];
const read = (page: string) => readFile(join(root, page), "utf8");

test("the README's table names every setting, its variable and its default as --help does", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, "server/main.ts"), "--help"]);
  const readme = await read("README.md");
  const options = stdout.split(/\n(?=  -)/).filter((option) => option.includes("env:"));
  expect(options.length).toBeGreaterThan(20);
  const missing = options.map(rowOf).filter((row) => !readme.includes(row));
  expect(missing).toEqual([]);
  expect(readme.match(/^\| `--/gm)).toHaveLength(options.length);
});

/** How a row of the table begins. Defaults that are sentences are not looked at. */
function rowOf(option: string): string {
  const text = option.replaceAll(/\s+/g, " ").trim();
  const [, flags = "", variable = ""] = /^(--\S+ \S+) .*env: (\w+)/.exec(text) ?? [];
  const preset = /\bdefault: "?([\w.:-]+)"?, env:/.exec(text)?.[1];
  const row = `| \`${flags}\` | \`${variable}\` |`;
  return preset === undefined || preset === "none" ? row : `${row} \`${preset}\` |`;
}

describe.each(pages)("%s", (page) => {
  test("links to files and headings that exist", async () => {
    const links = [...(await read(page)).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)];
    const broken: string[] = [];
    for (const [link, file = "", heading] of links) {
      const path = file === "" ? join(root, page) : join(dirname(join(root, page)), file);
      if (!existsSync(path)) broken.push(link);
      else if (heading !== undefined && !headings(await readFile(path, "utf8")).includes(heading)) broken.push(link);
    }
    expect(broken).toEqual([]);
  });

  test("names files of the project that exist", async () => {
    const names = [...(await read(page)).matchAll(/`((?:test|deploy|docs|server|engine)\/[\w./-]+)`/g)];
    expect(names.map(([, name = ""]) => name).filter((name) => !existsSync(join(root, name)))).toEqual([]);
  });
});

/** The anchors of a page's headings. */
function headings(page: string): readonly string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}
