import { chanceFrom } from "../crash/chance.ts";

/** Choices that look random and are the same for the same seed. */
export interface Dice {
  /** From `least` to `most`, both included. */
  between(least: number, most: number): number;
  pick<T>(items: readonly T[]): T;
  /** Some of the items, in an order of their own. */
  some<T>(items: readonly T[], count: number): readonly T[];
  /** Whether something that happens in so many of a hundred cases happens. */
  percent(share: number): boolean;
}

export function diceFrom(seed: number): Dice {
  const chance = chanceFrom(seed);
  return {
    between: (least, most) => chance.between(least, most),
    pick: (items) => items[chance.between(0, items.length - 1)]!,
    some: (items, count) => chance.shuffled(items).slice(0, count),
    percent: (share) => chance.between(1, 100) <= share,
  };
}
