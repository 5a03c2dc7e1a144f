import type { Phase } from "../../jobs/phase.ts";
import type { RestorePhase } from "../../model.ts";

/** A restore's phase in which this kind of it has nothing to do. */
export function nothing(name: RestorePhase): Phase {
  return { name, run: async () => {} };
}
