import { expect, test } from "vitest";
import { readAhead } from "../../../engine/objects/read-ahead.ts";

/** Sources that say when they are begun and closed. */
function sources(contents: readonly (readonly string[])[], failing = -1) {
  const events: string[] = [];
  async function* source(index: number) {
    events.push(`begin ${index}`);
    try {
      if (index === failing) throw new Error("refused");
      yield* contents[index] ?? [];
    } finally {
      events.push(`end ${index}`);
    }
  }
  return { events, all: contents.map((_, index) => source(index)) };
}

test("everything comes in order, and the next sources are begun before the first has ended", async () => {
  const { all, events } = sources([["a", "b"], [], ["c"], ["d"]]);
  expect(await Array.fromAsync(readAhead(all, 2))).toEqual(["a", "b", "c", "d"]);
  expect(events.indexOf("begin 2")).toBeLessThan(events.indexOf("end 0"));
  expect(events.indexOf("begin 3")).toBeGreaterThan(events.indexOf("end 0"));
});

test("a failure is thrown when its turn comes, and what was begun is closed", async () => {
  const { all, events } = sources([["a"], ["b"], ["c"], ["d"]], 1);
  const given: string[] = [];
  const take = async () => {
    for await (const item of readAhead(all, 1)) given.push(item);
  };
  await expect(take()).rejects.toThrow("refused");
  expect(given).toEqual(["a"]);
  expect(events.sort()).toEqual(["begin 0", "begin 1", "begin 2", "end 0", "end 1", "end 2"]);
});

test("a reader that stops closes what was begun", async () => {
  const { all, events } = sources([["a", "b"], ["c"], ["d"]]);
  for await (const item of readAhead(all, 1)) if (item === "a") break;
  expect(events.filter((event) => event.startsWith("end")).sort()).toEqual(["end 0", "end 1"]);
});
