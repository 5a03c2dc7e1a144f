/** Numbers that look random and are the same for the same seed. */
export interface Chance {
  /** From `least` to `most`, both included. */
  between(least: number, most: number): number;
  shuffled<T>(items: readonly T[]): T[];
}

/** The seed of this run: that of CRASH_SEED, to repeat an earlier one, or a new one. Printed either way. */
export function chooseSeed(what: string): number {
  const { CRASH_SEED: given } = process.env;
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  console.log(`${what}: to repeat these choices, set CRASH_SEED=${seed}`);
  return seed;
}

/** Mulberry32. */
export function chanceFrom(seed: number): Chance {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    between,
    shuffled(items) {
      const mixed = [...items];
      for (let last = mixed.length - 1; last > 0; last--) {
        const other = between(0, last);
        [mixed[last], mixed[other]] = [mixed[other]!, mixed[last]!];
      }
      return mixed;
    },
  };
}
