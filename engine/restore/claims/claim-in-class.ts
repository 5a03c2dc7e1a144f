import type { SavedVolume } from "../../archive/format.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { inClassNamed } from "../../kinds/core/claim-class.ts";
import { driverFor } from "../../volumes/saved-data.ts";

/** The claim, in a storage class that makes its volume. */
export function inClass(claim: KubernetesObject, storageClass: KubernetesObject | undefined): KubernetesObject {
  return storageClass ? inClassNamed(claim, storageClass.metadata.name) : claim;
}

/** Warns of a claim that is not in the storage class that it was saved in. */
export function reportOtherClass(
  { warn }: Pick<JobContext, "warn">,
  volume: SavedVolume,
  storageClass: KubernetesObject | undefined,
): void {
  const name = storageClass?.metadata.name ?? volume.storageClass;
  if (name === volume.storageClass) return;
  const why =
    volume.storageClass === ""
      ? `its volume ${volume.persistentVolume} was created by hand, without a class`
      : `${volume.storageClass} makes no volumes of driver ${driverFor(volume)}`;
  warn("DRS-R071", volume.namespace, `claim ${volume.claim} is now in storage class ${name}: ${why}`);
}
