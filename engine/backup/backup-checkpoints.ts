import type { Part } from "../archive/format.ts";
import { Checkpoint } from "../jobs/checkpoint.ts";
import type { SnapshotableClaim } from "../volumes/claims.ts";

/** The findings of PRE_VALIDATION. */
export const validated = new Checkpoint<{
  readonly kubernetesVersion: string;
  readonly namespaces: readonly string[];
  readonly claims: readonly SnapshotableClaim[];
  /** Names of storage classes in which claims can be made from their snapshots. */
  readonly classes: readonly string[];
}>("PRE_VALIDATION");

/** The parts that SAVING_OBJECTS has put into the archive. */
export const savedObjects = new Checkpoint<{
  readonly parts: readonly Part[];
  /** Groups and versions of the API that did not answer meanwhile. */
  readonly unavailable: readonly string[];
}>("SAVING_OBJECTS");

/** Written by CREATING_SNAPSHOTS when every snapshot has been cut: from then on none is taken. */
export const cutSnapshots = new Checkpoint<{ readonly areCut: true }>("CREATING_SNAPSHOTS");
