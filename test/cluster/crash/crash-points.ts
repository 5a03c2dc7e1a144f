import type { TestService } from "../support/service.ts";

export type JobKind = "backup" | "restore" | "deletion";

/** The crash points that a service with `crashAt` has come by, each once, in the order of the first time. */
export function pointsOf(service: TestService): readonly string[] {
  const points = service.output().matchAll(/"point":"([^"]+)"/g);
  return [...new Set([...points].map(([, point]) => point!))];
}

export function ofKind(points: readonly string[], kind: JobKind): readonly string[] {
  return points.filter((point) => point.startsWith(`${kind} `));
}

/**
 * Spreads the points over some runs so that each point is in one run, all runs have about as many, and those of a phase
 * that are in one run are far from one another. Each run's are in the order in which a job comes by them.
 */
export function spread(points: readonly string[], runs: number): readonly (readonly string[])[] {
  return Array.from({ length: runs }, (_, run) => points.filter((_point, index) => index % runs === run));
}
