import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext, Phase } from "../../jobs/phase.ts";
import type { RestorePhase, RestorePlan } from "../../model.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import type { SavedIndex } from "../source/saved-index.ts";
import { backupSource, provenSource } from "./restore-sources.ts";

/** Does a phase of a restore by what its plan takes of the backup. */
export type RunPhase = (source: RestoreSource, context: JobContext) => Promise<void>;

/**
 * The phases of a restore by one plan: each opens the backup again, which PRE_VALIDATION is yet to prove. `before` comes
 * ahead of each: an error keeps the phase from being run.
 */
export function phasesOf(
  deps: JobDeps,
  plan: RestorePlan,
  index: SavedIndex,
  before: (context: JobContext) => void = () => {},
): (name: RestorePhase, run: RunPhase) => Phase {
  return (name, run) => ({
    name,
    run: async (context) => {
      before(context);
      const open = name === "PRE_VALIDATION" ? backupSource : provenSource;
      await run(await open(deps, context, plan, index), context);
    },
  });
}
