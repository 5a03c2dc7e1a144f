import { DrsError } from "../errors.ts";

const thousands = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const binary = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

const form = /^(?<sign>[+-]?)(?<whole>\d*)\.?(?<fraction>\d*)(?:(?<suffix>[a-zA-Z]*)|[eE](?<exponent>[+-]?\d+))$/;
/** Kubernetes knows no larger quantity, and takes each that is for this one. */
const largest = 2n ** 63n - 1n;
/** Beyond these many places any number is too large to count, or less than a byte. */
const manyPlaces = 64;

/**
 * A size in bytes, exact, in any form that Kubernetes takes; a fraction of a byte counts as one, and a size that is too large as the
 * largest. INVALID_ARGUMENT for a text that is not a size, and for one below zero.
 * https://github.com/kubernetes/apimachinery/blob/v0.35.0/pkg/api/resource/quantity.go
 */
export function bytesOf(quantity: string | number | undefined): bigint {
  const text = String(quantity ?? "nothing");
  const { sign, whole = "", fraction = "", suffix = "", exponent } = form.exec(text)?.groups ?? {};
  const digits = whole + fraction;
  const scale = exponent === undefined ? scaleOf(suffix) : { binary: 0, decimal: Number(exponent) };
  if (digits === "" || scale === undefined) throw noSize(text);
  const mantissa = BigInt(digits) << BigInt(scale.binary);
  if (mantissa === 0n) return 0n;
  if (sign === "-") throw noSize(text);
  const places = scale.decimal - fraction.length;
  if (places >= 0) return places > manyPlaces ? largest : capped(mantissa * 10n ** BigInt(places));
  if (-places > digits.length + manyPlaces) return 1n;
  const divisor = 10n ** BigInt(-places);
  return capped((mantissa + divisor - 1n) / divisor);
}

function scaleOf(suffix: string): { readonly binary: number; readonly decimal: number } | undefined {
  const decimal = thousands.indexOf(suffix);
  if (decimal >= 0) return { binary: 0, decimal: 3 * (decimal - thousands.indexOf("")) };
  const power = binary.indexOf(suffix);
  return power < 0 ? undefined : { binary: 10 * power, decimal: 0 };
}

function capped(bytes: bigint): bigint {
  return bytes > largest ? largest : bytes;
}

function noSize(text: string): DrsError {
  return new DrsError("INVALID_ARGUMENT", `${text.slice(0, 100)} is not a volume size`);
}
