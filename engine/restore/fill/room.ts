import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { csiStorageCapacities } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import { bytesOf } from "../../volumes/quantity.ts";
import type { LaterClaim, PlannedFiller } from "./fill-plan.ts";

/**
 * The planned volumes that are larger than the largest which their class makes now, as drivers say it in CSIStorageCapacity; where one does
 * not say, or the service may not look, nothing is claimed. Their sum is not compared: storage that allocates what is written can hold
 * volumes of more. Quotas are the API server's to say when the claims are made.
 * https://kubernetes.io/docs/concepts/storage/storage-capacity/
 */
export async function whereNoRoomIs(
  planned: readonly PlannedFiller[],
  { cluster }: Pick<JobDeps, "cluster">,
  { signal }: Pick<JobContext, "signal">,
): Promise<readonly LaterClaim[]> {
  if (planned.length === 0) return [];
  const rooms = await roomsOf(cluster, signal);
  const full: LaterClaim[] = [];
  for (const [name, here] of Map.groupBy(planned, ({ storageClass }) => storageClass.metadata.name)) {
    const largest = rooms.get(name);
    for (const one of here) {
      const { volume } = one;
      if (largest !== undefined && sizeOf(one) > largest)
        full.push({
          volume,
          reason: `storage class ${name} has no room for a volume of ${sizeOf(one)} bytes: the largest that it makes now is of ${largest}`,
        });
    }
  }
  return full;
}

function sizeOf({ filling: { object } }: PlannedFiller): bigint {
  const { resources } = object["spec"] as {
    readonly resources?: { readonly requests?: { readonly storage?: string } };
  };
  return bytesOf(resources?.requests?.storage);
}

interface Capacity {
  readonly storageClassName: string;
  readonly capacity?: string;
  readonly maximumVolumeSize?: string;
}

/** Of each class its largest volume; undefined where the driver does not say it of each place. */
async function roomsOf(cluster: Cluster, signal: AbortSignal): Promise<ReadonlyMap<string, bigint | undefined>> {
  const found: Capacity[] = [];
  try {
    for await (const one of cluster.list(csiStorageCapacities, "", signal)) found.push(one as unknown as Capacity);
  } catch (error) {
    if (!hasStatus(error, 403, 404)) throw error;
  }
  const rooms = new Map<string, bigint | undefined>();
  for (const [name, places] of Map.groupBy(found, ({ storageClassName }) => storageClassName)) {
    const largest = known(places.map(({ maximumVolumeSize, capacity }) => maximumVolumeSize ?? capacity));
    rooms.set(
      name,
      largest?.reduce((most, size) => (size > most ? size : most), 0n),
    );
  }
  return rooms;
}

/** Undefined when one of them is. */
function known(quantities: readonly (string | undefined)[]): readonly bigint[] | undefined {
  return quantities.includes(undefined) ? undefined : quantities.map(bytesOf);
}
