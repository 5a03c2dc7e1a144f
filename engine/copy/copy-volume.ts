import type { CopiedVolume } from "../archive/copies-file.ts";
import type { SnapshotData } from "../archive/format.ts";
import type { LimitsConfig } from "../config.ts";
import { DrsError } from "../errors.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { ClaimData, DataRequest } from "../volumes/volume-data.ts";
import { makeClone, modeOf, removeClone } from "./clones.ts";
import type { Mover } from "./mover-job.ts";
import { backupDeviceScript, backupFilesScript } from "./mover-scripts.ts";
import { type Progress, summaryIn } from "./restic-output.ts";
import { type MoverRemoval, type MoverRequest, removeMover, runMover } from "./run-mover.ts";
import { backupTag, claimTag } from "./tags.ts";
import type { WantedCopy } from "./wanted-copies.ts";

export interface CopyRun extends Clearing {
  readonly request: MoverRequest;
  readonly backupUuid: string;
  /** Notes a copy, durably, before what has made it goes. */
  readonly record: (copied: CopiedVolume) => Promise<void>;
}

export interface Clearing {
  readonly request: MoverRemoval;
  readonly limits: LimitsConfig;
  readonly context: JobContext;
}

const cloneNotes = "clone/";

/**
 * Copies one volume: a clone of its snapshot, a mover that reads it, and nothing of either stays. Returns why it was not copied,
 * if so. UNAVAILABLE for what may pass. May run again: a mover that runs already goes on.
 */
export async function copyVolume(run: CopyRun, { volume, clone }: WantedCopy): Promise<string | undefined> {
  const { request, context, record } = run;
  const { namespace, claim } = volume;
  const mode = modeOf(clone.saved);
  context.notes.set(`${cloneNotes}${clone.claim}`, {
    namespace: clone.namespace,
    claim: clone.claim,
    data: clone.data,
  });
  try {
    const fault = await makeClone(dataRequest(run), clone);
    if (fault !== undefined) return fault;
    const { failure, lines } = await runMover(
      request,
      moverFor(run, { volume, clone }),
      teller(context, `${namespace}/${claim}`),
    );
    const summary = summaryIn(lines);
    if (failure !== undefined) return failure;
    if (summary === undefined) return "its mover's result is unknown: its log is gone";
    const { snapshotId, bytes, files, addedBytes } = summary;
    await record({ namespace, claim, snapshotId, mode, bytes, files });
    context.info(
      `copied claim ${namespace}/${claim}: ${files} files, ${bytes} bytes, of which ${addedBytes} were new; restic snapshot ${snapshotId.slice(0, 8)}`,
    );
    return undefined;
  } catch (error) {
    if (!(error instanceof DrsError) || error.code === "UNAVAILABLE" || request.signal.aborted) throw error;
    return error.message;
  } finally {
    if (!request.signal.aborted) await clearNowOrLater(run, clone);
  }
}

/** Removes movers and clones of volumes that the job has begun with. May run again. FAILED_PRECONDITION names what is left. */
export async function clearAll(run: Clearing): Promise<void> {
  for (const [, clone] of run.context.notes.entries<ClaimData<SnapshotData>>(cloneNotes)) await clear(run, clone);
}

/** Deletions that are late are retried when the job ends. */
async function clearNowOrLater(run: Clearing, clone: ClaimData<SnapshotData>): Promise<void> {
  try {
    await clear(run, clone);
  } catch (error) {
    if (!(error instanceof DrsError) || error.code !== "FAILED_PRECONDITION") throw error;
    run.context.info(`${error.message}; tried again at the end`);
  }
}

async function clear(run: Clearing, clone: ClaimData<SnapshotData>): Promise<void> {
  const timeoutMs = run.limits.podsStopTimeout;
  const left = await removeMover(run.request, clone.claim, timeoutMs);
  if (left.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `pods of movers are still there ${timeoutMs / 1000} s after their deletion: ${left.join(", ")}`,
      { id: "DRS-V006" },
    );
  await removeClone(dataRequest(run), clone);
  run.context.notes.clear(`${cloneNotes}${clone.claim}`);
}

function dataRequest({ request, limits }: Clearing): DataRequest {
  const { cluster, place, signal } = request;
  return { cluster, uuid: place.uuid, timeoutMs: limits.snapshotTimeout, inFlight: limits.clusterConcurrency, signal };
}

/** By host and path restic finds the copy before, and reads only what has changed since. */
function moverFor({ request: { place }, backupUuid }: CopyRun, { volume, clone }: WantedCopy): Mover {
  const { namespace, claim } = volume;
  const mode = modeOf(clone.saved);
  const path = `/volumes/${namespace}/${claim}`;
  const { uploadLimit } = place.copies;
  const args = [
    "--host",
    place.controlPlane,
    "--tag",
    backupTag(backupUuid),
    "--tag",
    claimTag(namespace, claim),
    "--time",
    resticTime(clone.data.snapshotTime),
    ...(uploadLimit === undefined ? [] : ["--limit-upload", String(uploadLimit)]),
  ];
  const [script, what] =
    mode === "Block" ? [backupDeviceScript, ["--stdin-filename", path]] : [backupFilesScript, ["--", path]];
  return { name: clone.claim, script, args: [...args, ...what], volume: { claim: clone.claim, mode, path } };
}

/** `2026-11-30 10:00:00`, in the mover's time zone, which is UTC. */
function resticTime(time: string): string {
  return new Date(time).toISOString().slice(0, 19).replace("T", " ");
}

const reportEveryMs = 60_000;

/** Logs the progress of a volume once a minute. */
function teller({ info, progressed }: JobContext, claim: string): (progress: Progress) => void {
  let last = Date.now();
  let before = 0;
  return ({ bytes, totalBytes, files, totalFiles }) => {
    if (bytes > before) progressed();
    const seconds = (Date.now() - last) / 1_000;
    if (seconds * 1_000 < reportEveryMs) return;
    const speed = (bytes - before) / seconds;
    const eta = totalBytes > bytes && speed > 0 ? `, ${Math.ceil((totalBytes - bytes) / speed)} s left` : "";
    info(
      `copying claim ${claim}: ${bytes} of ${totalBytes} bytes, ${files} of ${totalFiles} files, ${Math.round(speed)} bytes/s${eta}`,
    );
    last = Date.now();
    before = bytes;
  };
}
