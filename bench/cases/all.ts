import type { BenchCase } from "../bench-case.ts";

/** In the order in which they are run. */
export const cases: readonly BenchCase[] = [];
