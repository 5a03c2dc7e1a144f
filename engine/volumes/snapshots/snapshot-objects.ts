import { createHash } from "node:crypto";

/** The status from the snapshot controllers: https://kubernetes.io/docs/concepts/storage/volume-snapshots/ */
export interface SnapshotStatus {
  readonly boundVolumeSnapshotContentName?: string;
  readonly readyToUse?: boolean;
  readonly creationTime?: string | number;
  readonly snapshotHandle?: string;
  readonly restoreSize?: string | number;
  readonly error?: { readonly message?: string };
}

/** The source of a VolumeSnapshot, present or former. */
export interface SnapshotSpec {
  readonly source: { readonly persistentVolumeClaimName?: string; readonly volumeSnapshotContentName?: string };
}

/**
 * The name of what a job makes for one claim: the same each time it is derived, valid for every kind of object, and
 * another one for every job and claim.
 */
export function nameFor(jobUuid: string, namespace: string, claim: string): string {
  const digest = createHash("sha256").update(`${jobUuid}/${namespace}/${claim}`).digest("hex");
  return `drs-${jobUuid.slice(0, 8)}-${digest.slice(0, 24)}`;
}

/** Whether a name is one of those that `nameFor` gives. */
export function isMadeName(name: string): boolean {
  return /^drs-[0-9a-f]{8}-[0-9a-f]{24}$/.test(name);
}
