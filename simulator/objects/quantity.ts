const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The bytes of a storage quantity such as `10Gi`, a fraction counting as one; 0 for what is none. */
export function parseQuantity(text = "0"): number {
  const [, number = "0", suffix = ""] = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)$/.exec(text) ?? [];
  return Math.ceil(Number(number) * (factors[suffix] ?? 0));
}

/** The shortest exact quantity of a number of bytes, in powers of two. */
export function formatQuantity(bytes: number): string {
  for (const suffix of ["Ti", "Gi", "Mi", "Ki"]) {
    const amount = bytes / (factors[suffix] ?? 1);
    if (bytes > 0 && Number.isInteger(amount)) return `${amount}${suffix}`;
  }
  return String(bytes);
}
