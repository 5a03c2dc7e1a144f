import { expect, test } from "vitest";
import { RawObject } from "../../../engine/kubernetes/raw-object.ts";

const metadata = { name: "a", annotations: { 'odd "\\': 'a } and a \\" { in it\\' }, labels: { ü: "😀" } };

function raw(object: object): RawObject {
  return new RawObject(Buffer.from(JSON.stringify(object)));
}

test.each([
  ["an item of a list", { metadata, data: { x: "y" } }],
  ["a line of an archive", { kind: "ConfigMap", apiVersion: "v1", metadata, data: { x: "y" } }],
  ["a custom resource", { apiVersion: "example.com/v1", kind: "Widget", metadata, spec: {} }],
  ["an object in another order", { data: { x: "y", metadata: { name: "b" } }, metadata }],
  ["an object of nothing but metadata", { metadata }],
])("the metadata of %s is what the whole object has", (_what, object) => {
  expect(raw(object).metadata).toEqual(metadata);
  expect(raw(object).object).toEqual(object);
});

test("objects have the same digest when all of their bytes are the same but for their kind and version", () => {
  const item = { metadata, data: { x: "y" } };
  const { digest } = raw(item);
  expect(raw({ kind: "ConfigMap", apiVersion: "v1", ...item }).digest).toBe(digest);
  expect(raw({ metadata, data: { x: "z" } }).digest).not.toBe(digest);
  expect(raw({ metadata: { ...metadata, uid: "1" }, data: { x: "y" } }).digest).not.toBe(digest);
  expect(raw({ data: { x: "y" }, metadata }).digest).not.toBe(digest);
});

test("numbers are exact", () => {
  const text = '{"metadata":{"name":"a"},"spec":{"n":9007199254740993,"f":1.0}}';
  expect(JSON.stringify(new RawObject(Buffer.from(text)).object)).toBe(text);
});

test("what is no JSON is an error", () => {
  expect(() => new RawObject(Buffer.from('{"metadata":{"name":"a"')).metadata).toThrow(SyntaxError);
  expect(() => new RawObject(Buffer.from("nothing")).metadata).toThrow(SyntaxError);
});
