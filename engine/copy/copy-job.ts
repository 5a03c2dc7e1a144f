import { backupFolder } from "../archive/archive-paths.ts";
import { uuidOf } from "../crn.ts";
import type { CopiedVolume } from "../archive/copies-file.ts";
import { DrsError } from "../errors.ts";
import type { JobContext, JobDefinition } from "../jobs/phase.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { Message } from "../model.ts";
import { foundNote, uncopiedNote } from "../store/copy-store.ts";
import { type CopyDeps, moverPlace, timesOf } from "./copy-deps.ts";
import { type CopyRun, copyVolume } from "./copy-volume.ts";
import { KnownCopies } from "./known-copies.ts";
import { layOut, openRepository } from "./movers/mover-set.ts";
import { hasOtherPlaces, notePlace, removeAll, removeLeftovers } from "./leftovers.ts";
import { hasCopiesIn } from "./recorded-copies.ts";
import { claimsWithoutSnapshot, wantedCopies } from "./wanted-copies.ts";

/** So long after a backup, in milliseconds, live data still counts as that of the backup. */
const liveForMs = 24 * 3_600_000;

/**
 * Copies the volumes' data of a backup out of the storage system, each volume by a mover of its own. It changes nothing that is
 * the control plane's. A volume that is not copied is a warning, and the copy is tried again later; each that is copied is in
 * the archive's copies.json at once, and stays.
 */
export function copyJob(deps: CopyDeps): JobDefinition {
  return {
    phases: [{ name: "COPYING_VOLUMES", run: (context) => copyVolumes(deps, context) }],
    finish: (context) => removeLeftovers(deps, context),
    fail: (context) => removeLeftovers(deps, context),
    // Movers that run go on meanwhile, as no restore touches what they read, but live volumes, whose movers it ends; no other one begins.
    background: { isInTheWayOf: () => true },
  };
}

async function copyVolumes(deps: CopyDeps, context: JobContext): Promise<void> {
  const { job, signal, info, warn, notes } = context;
  const { copies, archives, limits } = deps;
  if (copies === undefined)
    throw new DrsError("FAILED_PRECONDITION", "copies are off: start the service with --copies on to make this one", {
      id: "DRS-V005",
    });
  const { config } = copies;
  const folder = backupFolder(uuidOf(job.backupCrn));
  const archive = await archives.open(folder, signal);
  const known = await KnownCopies.open(archives, folder, config.repository, context);
  if (known.wereElsewhere && notes.get(foundNote) === true) {
    info("the backup was found in storage, and its copies are said to be in another repository: they stay as they are");
    return;
  }
  const live = (config.readsLive ? await claimsWithoutSnapshot(archive, signal) : []).filter((it) => !known.has(it));
  const isLate = Date.now() - Date.parse(archive.manifest.finishedTime) > liveForMs;
  for (const { namespace, claim } of isLate ? live : [])
    warn(
      "DRS-V014",
      namespace,
      `the data of claim ${claim} was not copied within a day after the backup, and its volume holds data of another time by now`,
    );
  const volumes = [...archive.manifest.volumes.filter((volume) => !known.has(volume)), ...(isLate ? [] : live)];
  notes.set(uncopiedNote, volumes.length);
  if (volumes.length === 0) return;
  const place = await moverPlace(deps, copies, job, signal);
  const request = { cluster: deps.cluster, place, times: timesOf(copies), signal };
  if (known.wereElsewhere) await removeAll(deps, context);
  if (hasOtherPlaces(context, place)) await removeLeftovers(deps, context);
  notePlace(context, place);
  await known.write(signal); // from now on there may be something in the repository
  await layOut(request, copies);
  await openRepository(request, limits.podsStopTimeout, await hasCopiesIn(config.repository, deps, signal));
  let left = volumes.length;
  const record = async (copied: CopiedVolume) => {
    await known.add(copied, signal);
    notes.set(uncopiedNote, (left -= 1));
    context.progressed();
  };
  const run: CopyRun = { request, limits, context, backupUuid: uuidOf(job.backupCrn), record };
  const failures = new Map<string, Pick<Message, "namespace" | "text">>();
  const wishes = await Array.fromAsync(wantedCopies(request, archive, volumes));
  await forEachInFlight(wishes, config.concurrency, async (wish) => {
    const { namespace, claim } = wish.volume;
    const source = await wish.source();
    const reason = "reason" in source ? source.reason : await copyVolume(run, { volume: wish.volume, source });
    if (reason === undefined) return;
    info(`claim ${namespace}/${claim} is not copied: ${reason}`);
    const text = `the data of claim ${claim} was not copied, and is tried again in an hour: ${reason}`;
    failures.set(`${namespace}/${claim}`, { namespace, text });
  });
  // Only now: what fails in a run that is interrupted may not fail in the next one.
  for (const { namespace, text } of failures.values()) warn("DRS-V002", namespace, text);
  info(`copied ${volumes.length - failures.size} of ${volumes.length} volumes to ${config.repository}`);
}
