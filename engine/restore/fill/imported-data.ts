import { type FlatVolume, type SavedData, type SavedVolume, withData } from "../../archive/format.ts";
import { stopChecking } from "../../copy/check-copies.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { dataFor, releaseData } from "../../volumes/saved-data.ts";
import type { ClaimData, DataRequest } from "../../volumes/volume-data.ts";

const importedNotes = "imported-data/";
/** As services before the fillers have noted them. */
const formerNote = "imported";

/** The request of a restore to the saved data. */
export function dataRequest({ cluster, limits }: JobDeps, { job, signal }: JobContext): DataRequest {
  return {
    cluster,
    uuid: job.uuid,
    timeoutMs: limits.snapshotTimeout,
    inFlight: limits.clusterConcurrency,
    signal,
  };
}

/** Notes for which claims the cluster gets objects of saved data, before the first one is made. */
export function noteImported({ notes }: JobContext, claims: readonly ClaimData<SavedData>[]): void {
  notes.setAll(claims.map((one) => [`${importedNotes}${one.namespace}/${one.claim}/`, one]));
}

/** Those claims of which the objects are in other namespaces than these. */
export function importedElsewhere(
  context: Pick<JobContext, "notes">,
  namespaces: readonly string[],
): readonly ClaimData<SavedData>[] {
  return importedFor(context).filter(({ namespace }) => !namespaces.includes(namespace));
}

function importedFor({ notes }: Pick<JobContext, "notes">): readonly ClaimData<SavedData>[] {
  return [...notes.entries<ClaimData<SavedData>>(importedNotes)].map(([, one]) => one);
}

/** Removes the objects of saved data of all claims, filled or not, and what looks at copies, when the restore has failed. May run again. */
export async function removeImported(deps: JobDeps, context: JobContext): Promise<void> {
  const { notes } = context;
  await stopChecking(deps, context);
  const former = notes.get<readonly (SavedVolume | FlatVolume)[]>(formerNote) ?? [];
  await releaseData(dataRequest(deps, context), [
    ...former.map((volume) => dataFor(withData(volume))),
    ...importedFor(context),
  ]);
}
