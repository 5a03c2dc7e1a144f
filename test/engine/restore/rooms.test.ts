import { glob, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");
const restore = join(root, "engine/restore");

test("the rooms of a restore import only those above them on the architecture page, which names them all", async () => {
  const page = await readFile(join(root, "docs/architecture.md"), "utf8");
  const rows = page.slice(page.indexOf("The rooms of `engine/restore/`"), page.indexOf("`simulator/` is a program"));
  const rooms = [...rows.matchAll(/^\| `(\w+)` \|/gm)].map(([, room = ""]) => room);
  const files = await Array.fromAsync(glob("*/**/*.ts", { cwd: restore }));
  expect(new Set(files.map(roomOf))).toEqual(new Set(rooms));
  const imports = await Promise.all(files.map(importsOf));
  const wrong = imports
    .flat()
    .filter(({ from, to }) => to !== undefined && rooms.indexOf(roomOf(to)) > rooms.indexOf(roomOf(from)));
  expect(wrong).toEqual([]);
});

function roomOf(file: string): string {
  return file.split("/")[0] ?? "";
}

interface Import {
  readonly from: string;
  /** Undefined when it is none of the rooms. */
  readonly to: string | undefined;
}

async function importsOf(from: string): Promise<readonly Import[]> {
  const source = await readFile(join(restore, from), "utf8");
  return [...source.matchAll(/from "(\.[^"]+)"/g)].map(([, path = ""]) => {
    const to = relative(restore, join(restore, dirname(from), path));
    return { from, to: to.startsWith("..") || !to.includes("/") ? undefined : to };
  });
}
