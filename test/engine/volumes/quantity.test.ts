import { expect, test } from "vitest";
import { bytesOf } from "../../../engine/volumes/quantity.ts";

const largest = 2n ** 63n - 1n;

test.each<[string | number, bigint]>([
  ["1181116006400m", 1_181_116_007n], // 1.1Gi, as the API server writes it
  ["1.1Gi", 1_181_116_007n],
  ["1Ei", 2n ** 60n],
  [".5Gi", 2n ** 29n],
  ["+5Gi", 5n * 2n ** 30n],
  ["5.", 5n],
  ["5.Mi", 5n * 2n ** 20n],
  ["1e3", 1_000n],
  ["1E3", 1_000n],
  ["12E6", 12_000_000n],
  ["1e+3", 1_000n],
  ["1500e-3", 2n],
  ["1E", 10n ** 18n],
  ["1P", 10n ** 15n],
  ["3n", 1n],
  ["1000000001n", 2n],
  ["1000000u", 1n],
  ["0", 0n],
  ["-0", 0n],
  ["007", 7n],
  [128974848, 128_974_848n],
  ["9007199254740993", 9_007_199_254_740_993n],
  ["8Ei", largest],
  ["99999999999999999999999999", largest],
  ["1e999999999999", largest],
  ["1e-999999999999", 1n],
  ["0e999999999999", 0n],
])("%s is read as the bytes it says", (quantity, bytes) => {
  expect(bytesOf(quantity)).toBe(bytes);
});

test.each([
  "",
  ".",
  "+",
  "Gi",
  "large",
  "1 Gi",
  "1gi",
  "1Kib",
  "1K",
  "1e",
  "1e1.5",
  "--1",
  "-1Gi",
  "1,5Gi",
  "0x10",
  "1.2.3",
])("%j is no size", (quantity) => {
  expect(() => bytesOf(quantity)).toThrow(`${quantity} is not a volume size`);
});

test("a quantity is read as its grammar says, whatever it is put together from", () => {
  const scales: [string, bigint, bigint][] = [
    ...["n", "u", "m"].map((suffix, index): [string, bigint, bigint] => [suffix, 1n, 10n ** BigInt(9 - 3 * index)]),
    ...["", "k", "M", "G", "T"].map((suffix, index): [string, bigint, bigint] => [
      suffix,
      10n ** BigInt(3 * index),
      1n,
    ]),
    ...["Ki", "Mi", "Gi", "Ti"].map((suffix, index): [string, bigint, bigint] => [
      suffix,
      2n ** BigInt(10 * index + 10),
      1n,
    ]),
    ...["e0", "E2", "e+7"].map((suffix): [string, bigint, bigint] => [suffix, 10n ** BigInt(suffix.slice(1)), 1n]),
    ...["e-1", "E-4"].map((suffix): [string, bigint, bigint] => [suffix, 1n, 10n ** BigInt(suffix.slice(2))]),
  ];
  for (const sign of ["", "+"])
    for (const whole of ["", "0", "7", "1024", "00012"])
      for (const fraction of [undefined, "", "5", "125", "0001"])
        for (const [suffix, times, by] of scales) {
          if (whole === "" && (fraction ?? "") === "") continue;
          const digits = BigInt(whole + (fraction ?? ""));
          const divisor = by * 10n ** BigInt(fraction?.length ?? 0);
          const wanted = (digits * times + divisor - 1n) / divisor;
          const text = `${sign}${whole}${fraction === undefined ? "" : `.${fraction}`}${suffix}`;
          expect([text, bytesOf(text)]).toEqual([text, wanted]);
        }
});
