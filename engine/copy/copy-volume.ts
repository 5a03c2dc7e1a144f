import type { CopiedVolume } from "../archive/copies-file.ts";
import type { LimitsConfig } from "../config.ts";
import { DrsError } from "../errors.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { DataRequest } from "../volumes/volume-data.ts";
import { modeOf } from "./clones.ts";
import { furthest } from "./furthest.ts";
import { whoIsKept } from "./live-claims.ts";
import type { Mover } from "./movers/mover-job.ts";
import { backupDeviceScript, backupFilesScript } from "./movers/mover-scripts.ts";
import { type Progress, summaryIn } from "./movers/restic-output.ts";
import { type MoverRemoval, type MoverRequest, removeMover, runMover } from "./movers/run-mover.ts";
import {
  isLive,
  makeSource,
  notedSource,
  noteGoing,
  noteSource,
  removeSource,
  type Source,
  type SourceNote,
} from "./sources.ts";
import { backupTag, claimTag } from "./tags.ts";
import type { CopiedClaim } from "./wanted-copies.ts";

export interface ReadVolume {
  readonly volume: CopiedClaim;
  readonly source: Source;
}

export interface CopyRun extends Clearing {
  readonly request: MoverRequest;
  readonly backupUuid: string;
  /** Notes a copy, durably, before what has made it goes. */
  readonly record: (copied: CopiedVolume) => Promise<void>;
}

export interface Clearing {
  readonly request: Pick<MoverRemoval, "cluster" | "signal">;
  readonly limits: LimitsConfig;
  readonly context: JobContext;
}

/**
 * Copies one volume: a claim to read it through, a mover that reads it, and nothing of either stays. Returns why it was not copied,
 * if so. UNAVAILABLE for what may pass. May run again: a mover that runs already goes on.
 *
 * The mover of a live volume ends where one of the application's pods cannot start otherwise.
 */
export async function copyVolume(run: CopyRun, read: ReadVolume): Promise<string | undefined> {
  const { request, context } = run;
  const { notes } = context;
  const { source } = read;
  const begun = notedSource(notes, source);
  // A removal that was interrupted is over before the same names are made again.
  if (begun?.isGoing === true) await removeCopier(run, begun);
  const note = noteSource(notes, request.place.uuid, source);
  // What has come so far stays for another attempt where this throws.
  const reason = await attempt(run, read, note);
  noteGoing(notes, note);
  await clearNowOrLater(run, note);
  return reason;
}

async function attempt(run: CopyRun, { volume, source }: ReadVolume, note: SourceNote): Promise<string | undefined> {
  const { request, context, record } = run;
  const { namespace, claim } = volume;
  const mode = modeOf(source.saved);
  try {
    const fault = await makeSource(dataRequest(run, request.place.uuid), source);
    if (fault !== undefined) return fault;
    const { failure, lines } = await runMover(request, moverFor(run, { volume, source }), {
      onProgress: teller(context, `${namespace}/${claim}`),
      ...(isLive(source) && { mustEnd: (node) => whoIsKept(request.cluster, source, node, request.signal) }),
    });
    const summary = summaryIn(lines);
    if (failure !== undefined) return failure;
    if (summary === undefined) return "its mover's result is unknown: its log is gone";
    const { snapshotId, bytes, files, addedBytes } = summary;
    const live = "live" in note ? { ...note.live, to: new Date().toISOString() } : undefined;
    await record({ namespace, claim, snapshotId, mode, bytes, files, ...(live && { live }) });
    const moment = live ? `, while applications could write, from ${live.from} to ${live.to}` : "";
    context.info(
      `copied claim ${namespace}/${claim}${moment}: ${files} files, ${bytes} bytes, of which ${addedBytes} were new; restic snapshot ${snapshotId.slice(0, 8)}`,
    );
    return undefined;
  } catch (error) {
    if (!(error instanceof DrsError) || error.code === "UNAVAILABLE" || request.signal.aborted) throw error;
    return error.message;
  }
}

/** Deletions that are late, or refused, are retried when the job ends. */
async function clearNowOrLater(run: Clearing, source: SourceNote): Promise<void> {
  try {
    await removeCopier(run, source);
  } catch (error) {
    if (!(error instanceof DrsError) || error.code === "UNAVAILABLE" || run.request.signal.aborted) throw error;
    run.context.info(`${error.message}; tried again at the end`);
  }
}

/** Removes what a volume is read through, and its mover before. May run again. FAILED_PRECONDITION names what is left. */
export async function removeCopier(run: Clearing, source: SourceNote): Promise<void> {
  const timeoutMs = run.limits.podsStopTimeout;
  const { uuid, namespace } = source;
  const left = await removeMover({ ...run.request, place: { namespace, uuid } }, source.claim, timeoutMs);
  if (left.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `pods of movers are still there ${timeoutMs / 1000} s after their deletion: ${left.join(", ")}`,
      { id: "DRS-V006" },
    );
  await removeSource(dataRequest(run, uuid), run.context.notes, source);
}

function dataRequest({ request, limits }: Clearing, uuid: string): DataRequest {
  const { cluster, signal } = request;
  return { cluster, uuid, timeoutMs: limits.snapshotTimeout, inFlight: limits.clusterConcurrency, signal };
}

/** By host and path restic finds the copy before, and reads only what has changed since. */
function moverFor({ request: { place }, backupUuid }: CopyRun, { volume, source }: ReadVolume): Mover {
  const { namespace, claim } = volume;
  const mode = modeOf(source.saved);
  const path = `/volumes/${namespace}/${claim}`;
  const { uploadLimit } = place.copies;
  const args = [
    "--host",
    place.controlPlane,
    "--tag",
    backupTag(backupUuid),
    "--tag",
    claimTag(namespace, claim),
    ...(isLive(source) ? [] : ["--time", resticTime(source.data.snapshotTime)]),
    ...(uploadLimit === undefined ? [] : ["--limit-upload", String(uploadLimit)]),
  ];
  const [script, what] =
    mode === "Block" ? [backupDeviceScript, ["--stdin-filename", path]] : [backupFilesScript, ["--", path]];
  const read = isLive(source) ? { isLive: true, ...(source.node !== undefined && { node: source.node }) } : {};
  return { name: source.claim, script, args: [...args, ...what], volume: { claim: source.claim, mode, path, ...read } };
}

/** `2026-11-30 10:00:00`, in the mover's time zone, which is UTC. */
function resticTime(time: string): string {
  return new Date(time).toISOString().slice(0, 19).replace("T", " ");
}

const reportEveryMs = 60_000;

/** Logs the progress of a volume once a minute. */
function teller(context: JobContext, claim: string): (progress: Progress) => void {
  const count = furthest(context, claim);
  let last = Date.now();
  let before = 0;
  return ({ bytes, totalBytes, files, totalFiles }) => {
    count({ bytes });
    const seconds = (Date.now() - last) / 1_000;
    if (seconds * 1_000 < reportEveryMs) return;
    const speed = (bytes - before) / seconds;
    const eta = totalBytes > bytes && speed > 0 ? `, ${Math.ceil((totalBytes - bytes) / speed)} s left` : "";
    context.info(
      `copying claim ${claim}: ${bytes} of ${totalBytes} bytes, ${files} of ${totalFiles} files, ${Math.round(speed)} bytes/s${eta}`,
    );
    last = Date.now();
    before = bytes;
  };
}
