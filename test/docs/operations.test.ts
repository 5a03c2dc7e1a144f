import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filledIn as gap, jobMessages } from "./job-messages.ts";
import { explains } from "./page-words.ts";

const root = join(import.meta.dirname, "../..");

test("every message in the tables of the operations page is one that the service has", async () => {
  const page = await readFile(join(root, "docs/operations.md"), "utf8");
  const messages = [...page.matchAll(/^\| (?:(?:in )?DRS-\w+ \| )?(.+?) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, message = ""]) => message).filter((message) => message.includes(" ")),
  );
  expect(messages.length).toBeGreaterThan(60);
  const source = await texts();
  const unknown = messages.filter((message) => !fragments(message).every((fragment) => isSaid(fragment, source)));
  expect(unknown).toEqual([]);
});

/** Texts that only stand within other messages, which have their rows. */
const partsOfOthers = [
  `the command in ${gap} ${gap}`, // of a hook's
  `${gap} is encrypted with ${gap}`, // said whole where it is thrown
  `${gap}; delete it when its driver answers again`,
];

test("every message that a job can end with, or report of one object, is explained on the operations page", async () => {
  const page = await readFile(join(root, "docs/operations.md"), "utf8");
  const messages = await jobMessages(root);
  expect(messages.length).toBeGreaterThan(50);
  const untold = messages.filter(({ text }) => !partsOfOthers.includes(text) && !explains(page, text));
  expect(untold.map(({ file, text }) => `${file}: ${text}`)).toEqual([]);
});

/** What of a message is the same each time: what stands between its `...`, `<kind> <name>`, counts (`n`, `n of 8`) and semicolons. */
function fragments(message: string): readonly string[] {
  return message
    .split(/"?\.\.\."?|<[^>]+>|\bn of \d+|\bn(?=:)|;/)
    .map((fragment) => fragment.trim())
    .filter((fragment) => fragment.length > 2);
}

/** Whether the source has a text, as a whole or some of its words filled into two others at least. */
function isSaid(text: string, source: string): boolean {
  if (source.includes(text)) return true;
  const words = text.split(" ");
  return words.some((_, start) =>
    words.some((__, end) => {
      if (end < start || words.length - (end - start + 1) < 2) return false;
      const frame = [...words.slice(0, start), filledIn, ...words.slice(end + 1)].join(" ");
      return source.includes(frame) && isSaid(words.slice(start, end + 1).join(" "), source);
    }),
  );
}

/** Stands for what a text is given when it is made. */
const filledIn = "${}";

/** All that the service's source says: texts of several lines whole, and without the code in them. */
async function texts(): Promise<string> {
  const files = await Array.fromAsync(glob("{engine,server}/**/*.ts", { cwd: root }));
  const sources = await Promise.all(files.map((file) => readFile(join(root, file), "utf8")));
  const source = sources.join("\n").replaceAll(/["`] \+\s+["`]/g, "");
  return `${source}\n${source.replaceAll(/\$\{[^{}]*\}/g, filledIn).replaceAll(/\$\{[^{}]*(?:\$\{\}[^{}]*)*\}/g, filledIn)}`;
}
