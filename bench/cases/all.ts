import type { BenchCase } from "../bench-case.ts";
import { objects } from "./objects.ts";

/** In the order in which they are run. */
export const cases: readonly BenchCase[] = [objects];
