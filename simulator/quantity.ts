const factors: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** The bytes of a storage quantity such as `10Gi`; 0 for what is none. */
export function parseQuantity(text = "0"): number {
  const [, digits = "0", suffix = ""] = /^([0-9.]+)([A-Za-z]*)$/.exec(text) ?? [];
  return Number(digits) * (factors[suffix] ?? 0);
}

/** The shortest exact quantity of a number of bytes, in powers of two. */
export function formatQuantity(bytes: number): string {
  for (const suffix of ["Ti", "Gi", "Mi", "Ki"]) {
    const amount = bytes / (factors[suffix] ?? 1);
    if (bytes > 0 && Number.isInteger(amount)) return `${amount}${suffix}`;
  }
  return String(bytes);
}
