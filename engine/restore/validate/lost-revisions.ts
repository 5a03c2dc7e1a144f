import type { JobContext } from "../../jobs/phase.ts";
import { mixedByHand } from "../../kinds/apps/roll-out-status.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import { rollOutsOf } from "../objects/roll-outs.ts";

/**
 * Warns of what a restore cannot bring back of the roll-outs that a backup was made in: pods of an older template that the
 * archive does not hold, as archives of the first services hold none, and which pods had which template under OnDelete.
 */
export async function reportLostRevisions(source: RestoreSource, context: JobContext): Promise<void> {
  for (const { type, archived, older } of (await rollOutsOf(source, context.signal)).values()) {
    const { namespace = "", name } = archived.metadata;
    const mixed = mixedByHand(type, archived);
    if (!older)
      context.warn(
        "DRS-R085",
        namespace,
        `${type.kind} ${name} was saved in a roll-out, and the template of its older pods is not in the backup: all of its pods will have the newest one`,
      );
    else if (mixed !== undefined) context.warn("DRS-R086", namespace, mixed);
  }
}
