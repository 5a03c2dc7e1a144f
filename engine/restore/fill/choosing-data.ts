import { backupFolder } from "../../archive/archive-paths.ts";
import { type CopiedVolume, copiesIn } from "../../archive/copies-file.ts";
import type { CopyData, SavedVolume } from "../../archive/format.ts";
import { usableCopies } from "../../copy/known-copies.ts";
import { uuidOf } from "../../crn.ts";
import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import { listed } from "../../objects/listed.ts";
import { checkData, classFor, dataFor, releaseData } from "../../volumes/saved-data.ts";
import { existingClasses } from "../../volumes/storage-classes.ts";
import { archivedVolume, isProvisioned } from "../claims/former-volumes.ts";
import { chooseCopies, type ChosenCopy, keyOf } from "../source/chosen-copies.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";
import { dataRequest, noteImported } from "./imported-data.ts";

/**
 * Says where the data of each volume comes from: from its snapshot where that can be used, else from its copy, if it has one and
 * copies are on; with `prefer` the other way round. Gives the source with it, which is noted. A volume without a snapshot that was
 * created by hand keeps its present data, with a warning: nothing else has that. May run again.
 */
export async function chooseData(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<RestoreSource> {
  const { archives, copies, restore } = deps;
  if (copies === undefined) {
    chooseCopies(context, new Map()); // those of a run before a restart with copies off
    return { ...source, copies: new Map() };
  }
  const known = await usableCopies(archives, backupFolder(uuidOf(context.job.backupCrn)), context);
  // Those of former repositories come after, and do not count where there is one here: a repository that has been moved has them.
  const { volumes: here, former = [] } = copiesIn(copies.config.repository, known);
  const all = [...former.toReversed().flatMap((one) => one.volumes), ...here];
  const copied = new Map(all.map((one) => [keyOf(one), one]));
  const byClaim = new Map(
    [...copied].map(([key, { namespace, claim, snapshotId, mode }]) => {
      const path = `/volumes/${namespace}/${claim}`;
      return [key, { kind: "copy", snapshotId, path, mode } satisfies CopyData] as const;
    }),
  );
  const volumes = source.reader.manifest.volumes.filter(
    (volume) =>
      byClaim.has(keyOf(volume)) &&
      source.scope.has(persistentVolumeClaims, { namespace: volume.namespace, name: volume.claim }),
  );
  const faults =
    restore.prefer === "copy"
      ? new Map(volumes.map((volume) => [keyOf(volume), preferred]))
      : await faultsOf(volumes, source, deps, context);
  const chosen = new Map<string, CopyData>();
  for (const [key, copy] of byClaim) if (faults.has(key)) chosen.set(key, copy);
  for (const [reason, claims] of Map.groupBy(chosen.keys(), (key) => faults.get(key))) {
    const why = reason === preferred ? preferred : `as their snapshots cannot be used (${reason})`;
    context.info(`filled from copies, ${why}: claims ${listed(claims)}`);
  }
  const live = await onlyCopied([...copied.values()], byClaim, source, context);
  if (live.size > 0)
    context.info(
      `filled from copies that were made while applications could write, as they have no snapshots: claims ${listed([...live.keys()])}`,
    );
  for (const [key, copy] of live) chosen.set(key, copy);
  chooseCopies(context, chosen);
  return { ...source, copies: chosen };
}

const preferred = "as --prefer says";

/** The volumes in the scope that have no snapshot but a copy, and were provisioned, so that another one can take their place. */
async function onlyCopied(
  copied: readonly CopiedVolume[],
  byClaim: ReadonlyMap<string, CopyData>,
  source: RestoreSource,
  { signal, warn }: JobContext,
): Promise<ReadonlyMap<string, ChosenCopy>> {
  const chosen = new Map<string, ChosenCopy>();
  const withSnapshot = new Set(source.reader.manifest.volumes.map(keyOf));
  for (const { namespace, claim, snapshotId, live } of copied) {
    const key = keyOf({ namespace, claim });
    const copy = byClaim.get(key);
    const isWanted =
      live && !withSnapshot.has(key) && source.scope.has(persistentVolumeClaims, { namespace, name: claim });
    if (!copy || !isWanted) continue;
    const { persistentVolume, storageClass } = live;
    const volume = await archivedVolume(source, persistentVolume, signal);
    if (volume && isProvisioned(volume))
      chosen.set(key, { ...copy, volume: { namespace, claim, persistentVolume, storageClass, data: [] } });
    else
      warn(
        "DRS-V013",
        source.scope.targetOf(namespace) ?? namespace,
        `claim ${claim} is not filled from its copy, as its volume ${persistentVolume} was created by hand and nothing else has its present data; restic snapshot ${snapshotId.slice(0, 8)} can be restored into it by hand`,
      );
  }
  return chosen;
}

/** Why snapshots cannot be used, by claim. Nothing is left of the look in the cluster. */
async function faultsOf(
  volumes: readonly SavedVolume[],
  source: RestoreSource,
  deps: JobDeps,
  context: JobContext,
): Promise<ReadonlyMap<string, string>> {
  const classes = [...(await existingClasses(deps.cluster, context.signal))];
  for await (const { object } of objectsOf(source, partsOf(source, ["storageclasses.storage.k8s.io"]), context.signal))
    classes.push(object);
  const [fillable, classless] = [
    volumes.filter((volume) => classFor(volume, classes)),
    volumes.filter((volume) => !classFor(volume, classes)),
  ];
  const faults = new Map(classless.map((volume) => [keyOf(volume), "no storage class has their driver"]));
  if (fillable.length === 0) return faults;
  const request = dataRequest(deps, context);
  const claims = fillable.map(dataFor);
  noteImported(context, claims);
  try {
    for (const [claim, fault] of await checkData(request, claims)) faults.set(claim, fault);
  } catch (error) {
    if (!(error instanceof DrsError) || error.code !== "FAILED_PRECONDITION") throw error;
    for (const { namespace, claim } of claims) faults.set(keyOf({ namespace, claim }), error.message);
  }
  await releaseData(request, claims);
  return faults;
}
