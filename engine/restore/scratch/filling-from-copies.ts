import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { fillersOf } from "../claims/fillers.ts";
import { fillFirst } from "../fill/fill-first.ts";
import { type FillPlan, fillSiteOf, planFilling } from "../fill/fill-plan.ts";
import { notFromCopies } from "../fill/proving-data.ts";
import { type RestoreSource, volumesOf } from "../source/restore-source.ts";

/** The plan for the volumes of a scratch restore: those with a copy are filled before their claims are made, the others as these are made. */
export async function planCopies(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<FillPlan> {
  const volumes = volumesOf(source);
  const isFromCopy = ({ volume }: { readonly volume: (typeof volumes)[number] }) => volume.copy !== undefined;
  const staying = volumes.filter((volume) => !isFromCopy({ volume }));
  if (staying.length === volumes.length) return { fillers: [], later: [], staying };
  const { fillers, later } = await planFilling(source, await fillSiteOf(source, deps, context.signal), deps, context);
  return { fillers: fillers.filter(isFromCopy), later: later.filter(isFromCopy), staying };
}

/**
 * Fills volumes from copies that claims of the scratch namespaces get when they are made. To be called when the namespaces are there: what
 * removes these knows their volumes by that. May run again. FAILED_PRECONDITION names those that cannot be filled.
 */
export async function fillFromCopies(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<void> {
  if (fillersOf(context).some(({ isHandedOver }) => isHandedOver === true)) return; // all were full
  const plan = await planCopies(source, deps, context);
  notFromCopies(plan.later);
  if (plan.fillers.length > 0) notFromCopies(await fillFirst(plan, deps, context));
}
