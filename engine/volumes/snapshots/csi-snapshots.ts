import type { SnapshotData } from "../../archive/format.ts";
import { createClaimsFromSnapshots, isFromSnapshot, removeImportedSnapshots } from "./claims-from-snapshots.ts";
import { deleteSnapshots } from "./delete-snapshots.ts";
import { importContents } from "./snapshot-contents.ts";
import { awaitSnapshots, discardBegun, keepSnapshots, takeSnapshots } from "./take-snapshots.ts";
import type { VolumeData } from "../volume-data.ts";

/** Data as CSI snapshots: https://kubernetes.io/docs/concepts/storage/volume-snapshots/ */
export const csiSnapshots: VolumeData<SnapshotData> = {
  begin: takeSnapshots,
  untilUsable: awaitSnapshots,
  keep: keepSnapshots,
  discardBegun,
  driverFor: ({ driver }) => driver,
  check: (request, volumes) => importContents({ ...request, volumes, deletionPolicy: "Retain" }),
  fill: createClaimsFromSnapshots,
  isFilled: isFromSnapshot,
  release: removeImportedSnapshots,
  discard: (request, volumes) => deleteSnapshots({ ...request, volumes }),
};
