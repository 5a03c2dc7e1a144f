import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { csiStorageCapacities } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import { bytesOf } from "../../volumes/quantity.ts";
import type { LaterClaim, PlannedFiller } from "./fill-plan.ts";

/** Of a class: the sum of all its places, and its largest volume; undefined where the driver does not say it of each place. */
interface Room {
  readonly all: bigint | undefined;
  readonly largest: bigint | undefined;
}

/**
 * The planned volumes for which their classes have no room, as drivers say it in CSIStorageCapacity; where one does not say, or the
 * service may not look, nothing is claimed. Quotas are the API server's to say when the claims are made.
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
    const { all, largest } = rooms.get(name) ?? {};
    const needed = here.reduce((sum, one) => sum + sizeOf(one), 0n);
    for (const one of here) {
      const { volume } = one;
      if (largest !== undefined && sizeOf(one) > largest)
        full.push({
          volume,
          reason: `storage class ${name} has no room for a volume of ${sizeOf(one)} bytes: the largest that it makes now is of ${largest}`,
        });
      else if (all !== undefined && needed > all)
        full.push({
          volume,
          reason: `storage class ${name} has room for ${all} bytes, and the volumes of this restore take ${needed}`,
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

async function roomsOf(cluster: Cluster, signal: AbortSignal): Promise<ReadonlyMap<string, Room>> {
  const found: Capacity[] = [];
  try {
    for await (const one of cluster.list(csiStorageCapacities, "", signal)) found.push(one as unknown as Capacity);
  } catch (error) {
    if (!hasStatus(error, 403, 404)) throw error;
  }
  const rooms = new Map<string, Room>();
  for (const [name, places] of Map.groupBy(found, ({ storageClassName }) => storageClassName)) {
    const sizes = known(places.map(({ capacity }) => capacity));
    const largest = known(places.map(({ maximumVolumeSize, capacity }) => maximumVolumeSize ?? capacity));
    rooms.set(name, {
      all: sizes?.reduce((sum, size) => sum + size, 0n),
      largest: largest?.reduce((most, size) => (size > most ? size : most), 0n),
    });
  }
  return rooms;
}

/** Undefined when one of them is. */
function known(quantities: readonly (string | undefined)[]): readonly bigint[] | undefined {
  return quantities.includes(undefined) ? undefined : quantities.map(bytesOf);
}
