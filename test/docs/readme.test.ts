import { existsSync, globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { settingsPage } from "../../server/settings/settings-page.ts";

const root = join(import.meta.dirname, "../..");
const pages = globSync(["*.md", "docs/**/*.md"], { cwd: root });
const read = (page: string) => readFile(join(root, page), "utf8");

test("the page of settings is what npm run settings makes of the options", async () => {
  expect(await read("docs/settings.md")).toBe(settingsPage());
});

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
