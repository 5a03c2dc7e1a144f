import { expect, test } from "vitest";
import { ListSplitter } from "../../../../engine/kubernetes/connection/list-splitter.ts";

const items = [
  '{"metadata":{"name":"plain"},"data":{"a":"1"}}',
  '{"metadata":{"name":"braces"},"data":{"a":"}]{[","b":"\\"}","c":"\\\\","d":"\\\\\\"]"}}',
  '{"metadata":{"name":"nested"},"items":[{"items":[1,{"x":[]}]}],"spec":{"items":[]}}',
  '{"metadata":{"name":"wide – ☁ größer"},"n":9007199254740993,"f":1.50,"e":1e2}',
  "{}",
];
const head = '"kind":"List","apiVersion":"v1","metadata":{"items":[{"no":"item"}],"continue":"to\\"ken"}';
const lists = [
  `{${head},"items":[${items.join(",")}]}`,
  `{"apiVersion":"v1","items":[${items.join(" ,\n ")}],"kind":"List","metadata":{"items":[{"no":"item"}],"continue":"to\\"ken"}}\n`,
];

function split(text: string, chunkSize: number) {
  const splitter = new ListSplitter();
  const bytes = Buffer.from(text);
  const given: string[] = [];
  for (let at = 0; at < bytes.length; at += chunkSize)
    given.push(...splitter.push(bytes.subarray(at, at + chunkSize)).map(String));
  return { given, head: splitter.end() };
}

test("a list comes apart into its items' own bytes and its head, in chunks of every size", () => {
  for (const list of lists)
    for (let size = 1; size <= Buffer.byteLength(list); size++) {
      const { given, head } = split(list, size);
      expect(given, `chunks of ${size}`).toEqual(items);
      expect(head).toEqual({
        kind: "List",
        apiVersion: "v1",
        metadata: { items: [{ no: "item" }], continue: 'to"ken' },
        items: [],
      });
    }
});

test("a list whose items are null, missing or none has none, and its head is read", () => {
  for (const text of [
    '{"items":null,"metadata":{"a":[{"b":1}]}}',
    '{"metadata":{"a":[{"b":1}]}}',
    '{"metadata":{"a":[{"b":1}]},"items":[]}',
  ])
    for (let size = 1; size <= text.length; size++) {
      const { given, head } = split(text, size);
      expect(given).toEqual([]);
      expect(head).toMatchObject({ metadata: { a: [{ b: 1 }] } });
    }
});

test("a list that breaks off anywhere is reported, and the items before the break are whole", () => {
  const list = lists[0] ?? "";
  for (let length = 0; length < list.length; length++) {
    const splitter = new ListSplitter();
    const given = splitter.push(Buffer.from(list.slice(0, length))).map(String);
    expect(items.slice(0, given.length)).toEqual(given);
    expect(() => splitter.end(), `after ${length}`).toThrow(SyntaxError);
  }
});
