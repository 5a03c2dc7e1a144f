import type { BenchCase } from "../bench-case.ts";
import { copies } from "./copies.ts";
import { callers } from "./callers.ts";
import { differences } from "./differences.ts";
import { idle } from "./idle.ts";
import { lists } from "./lists.ts";
import { memory } from "./memory.ts";
import { objects } from "./objects.ts";
import { reads } from "./reads.ts";
import { recovery } from "./recovery.ts";
import { slowDriver } from "./slow-driver.ts";
import { volumes } from "./snapshots.ts";

/** In the order in which they are run. */
export const cases: readonly BenchCase[] = [
  objects,
  differences,
  volumes,
  slowDriver,
  copies,
  memory,
  reads,
  callers,
  lists,
  recovery,
  idle,
];
