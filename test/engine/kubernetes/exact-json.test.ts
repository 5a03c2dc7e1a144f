import { expect, test } from "vitest";
import { asInGo, canonicalJson, isSameJson, parseExact } from "../../../engine/kubernetes/exact-json.ts";

test("every number is written as it was read, and what is not a number is not touched", () => {
  for (const text of [
    '{"a":9007199254740993,"b":-9223372036854775808,"c":18446744073709551615}',
    '{"a":1.0,"b":0.50,"c":1e2,"d":1E+2,"e":-2.5e-7,"f":100000000000000000000000000}',
    '{"a":1,"b":-12,"c":0.25,"d":[1.10,[2.00,{"e":3.000}]]}',
    '{"a":"1.0","b":"9007199254740993","c":"1e2","d":"\\"1.0\\"","e":"☁"}',
    '{"a":null,"b":true,"c":[],"d":{},"__proto__":{"x":1.0}}',
    "[1.0]",
    "1.50",
    '{"name":"db-0","image":"app:1.42.0","time":"2026-01-02T03:04:05.678901Z"}',
  ])
    expect(JSON.stringify(parseExact(text))).toBe(text);
});

test("numbers that a double holds are numbers", () => {
  expect(parseExact('{"replicas":3,"ratio":0.25,"exact":1.0}')).toMatchObject({ replicas: 3, ratio: 0.25 });
});

test("values are compared number by number, as exactly as Kubernetes keeps them", () => {
  expect(isSame('{"a":9007199254740993}', '{"a":9007199254740992}')).toBe(false);
  expect(isSame('{"a":-9223372036854775808}', '{"a":-9223372036854775807}')).toBe(false);
  expect(isSame('{"a":"9007199254740993"}', '{"a":9007199254740993}')).toBe(false);
  expect(isSame('{"a":9007199254740993,"b":[1.0,1e2]}', '{"b":[1,100],"a":9007199254740993}')).toBe(true);
});

test("values that say the same have the same canonical text, and no others", () => {
  expect(canonicalJson(parseExact('{"b":[1.0,1e2,{"d":null,"c":-0.50}],"a":9007199254740993}'))).toBe(
    '{"a":9007199254740993,"b":[1,100,{"c":-0.5,"d":null}]}',
  );
});

/** As two objects, and as two digests are. */
function isSame(one: string, other: string): boolean {
  const isSame = isSameJson(parseExact(one), parseExact(other));
  expect(canonicalJson(parseExact(one)) === canonicalJson(parseExact(other))).toBe(isSame);
  return isSame;
}

test("texts are written as Go writes them, for those who compare bytes", () => {
  const value = { args: ["a && b > c", "plain"], number: 1, none: null };
  expect(JSON.stringify(asInGo(value))).toBe(
    '{"args":["a \\u0026\\u0026 b \\u003e c","plain"],"number":1,"none":null}',
  );
  expect(isSameJson(asInGo(value), value)).toBe(true);
  expect(canonicalJson(asInGo(value))).toBe(canonicalJson(value));
});
