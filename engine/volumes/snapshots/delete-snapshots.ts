import { DrsError } from "../../errors.ts";
import { volumeSnapshotContents } from "../../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import { deleteAndWait } from "./detach-snapshot.ts";
import { type ContentsRequest, importContents } from "./snapshot-contents.ts";
import { nameFor } from "./snapshot-objects.ts";

/**
 * Deletes snapshots from the storage, each through a content with policy Delete. A snapshot that is not there any more is
 * as good as deleted. Returns the reason for each that could not be, by namespace and claim; it may be tried again.
 */
export async function deleteSnapshots(
  request: Omit<ContentsRequest, "deletionPolicy">,
): Promise<ReadonlyMap<string, string>> {
  await importContents({ ...request, deletionPolicy: "Delete" });
  const { cluster, uuid, timeoutMs, signal } = request;
  const failures = new Map<string, string>();
  await forEachInFlight(request.volumes, request.inFlight, async ({ namespace, claim }) => {
    try {
      await deleteAndWait(cluster, volumeSnapshotContents, "", nameFor(uuid, namespace, claim), timeoutMs, signal);
    } catch (error) {
      if (!(error instanceof DrsError) || error.code !== "FAILED_PRECONDITION") throw error;
      failures.set(`${namespace}/${claim}`, error.message);
    }
  });
  return failures;
}
