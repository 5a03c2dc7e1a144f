import { driver } from "../../bootstrap.ts";
import type { Cluster } from "../../cluster.ts";
import { deleteObject } from "../../objects/delete-object.ts";
import type { Claim, Volume } from "../../objects/kinds.ts";
import { isDeleting, keyOf, timestamp } from "../../objects/kubernetes-object.ts";
import { builtIn } from "../../objects/registry.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { Controller } from "../controller.ts";

const claims = builtIn("persistentvolumeclaims");
const volumes = builtIn("persistentvolumes");

type Phase = NonNullable<NonNullable<Volume["status"]>["phase"]>;

/** Keeps the phase of volumes, and reclaims those whose claim is gone: deleted with their data, or kept. */
export function volumeController(cluster: Cluster): Controller {
  const { store, data } = cluster;

  function setPhase(key: string, phase: Phase): void {
    changeObject<Volume>(cluster, volumes, key, (volume) => {
      if (volume.status?.phase !== phase) volume.status = { phase, lastPhaseTransitionTime: timestamp() };
    });
  }

  /** What a volume's claim makes of it; undefined leaves it as it is until its claim is bound. */
  function phaseOf({ spec, metadata }: Volume): Phase | undefined {
    const { claimRef } = spec ?? {};
    if (!claimRef?.uid) return "Available";
    const claim = store.get<Claim>(claims, `${claimRef.namespace}/${claimRef.name}`);
    if (claim?.metadata.uid !== claimRef.uid) return "Released";
    return claim.spec?.volumeName === metadata.name ? "Bound" : undefined;
  }

  function reclaim(key: string, { spec, metadata }: Volume): void {
    if (spec?.persistentVolumeReclaimPolicy !== "Delete") return;
    // Only what a driver made can be deleted by it; it knows its own by this annotation.
    if (metadata.annotations?.["pv.kubernetes.io/provisioned-by"] !== driver) {
      setPhase(key, "Failed");
      return;
    }
    data.volumes.delete(spec.csi?.volumeHandle ?? "");
    deleteObject(cluster, volumes, key);
  }

  return {
    *concerns({ resource, object }) {
      if (resource === volumes) yield keyOf(object);
      if (resource === claims) {
        const { volumeName } = (object as Claim).spec ?? {};
        if (volumeName) yield `/${volumeName}`;
      }
    },
    reconcile(key) {
      const volume = store.get<Volume>(volumes, key);
      if (volume === undefined) return;
      const phase = phaseOf(volume);
      if (phase !== undefined && volume.status?.phase !== "Failed") setPhase(key, phase);
      if (phase === "Released" && !isDeleting(volume)) reclaim(key, volume);
    },
  };
}
