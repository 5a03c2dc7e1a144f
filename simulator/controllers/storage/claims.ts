import { classOf } from "../../volumes/claim-class.ts";
import type { Cluster } from "../../cluster.ts";
import type { Claim, Pod, StorageClass, Volume } from "../../objects/kinds.ts";
import { isDeleting, keyOf } from "../../objects/kubernetes-object.ts";
import { selects } from "../../objects/label-selector.ts";
import { parseQuantity } from "../../objects/quantity.ts";
import { builtIn } from "../../objects/registry.ts";
import { resourceId } from "../../objects/resource.ts";
import { changeObject } from "../../objects/update-object.ts";
import type { Controller } from "../controller.ts";
import { pods } from "../workloads/owned-pods.ts";
import { claimsOf } from "../workloads/pods.ts";
import { provision, selectedNodeOf } from "./provisioner.ts";

const claims = builtIn("persistentvolumeclaims");
const volumes = builtIn("persistentvolumes");
const storageClasses = builtIn("storageclasses.storage.k8s.io");

const bindCompleted = "pv.kubernetes.io/bind-completed";
const boundByController = "pv.kubernetes.io/bound-by-controller";

/** Binds claims to volumes: to the one they name, to one that waits for them, to a free one, or to a new one. */
export function claimController(cluster: Cluster): Controller {
  const { store } = cluster;

  function bindNamed(key: string, claim: Claim, name: string): void {
    const volume = store.get<Volume>(volumes, `/${name}`);
    const isMine = volume !== undefined && isReservedFor(volume, claim);
    if (claim.metadata.annotations?.[bindCompleted] === "yes") {
      // Once bound, only the volume that carries this very claim's uid (or none at all) will do.
      const isLost = volume === undefined || (volume.spec?.claimRef && volume.spec.claimRef.uid !== claim.metadata.uid);
      if (isLost) setPhase(key, "Lost");
      else bind(claim, volume);
    } else if (volume !== undefined && (volume.spec?.claimRef === undefined || isMine)) {
      bind(claim, volume);
    } else {
      setPhase(key, "Pending");
    }
  }

  function bindAny(claim: Claim): void {
    const all = [...store.list<Volume>(volumes)].filter((volume) => !isDeleting(volume));
    const volume =
      all.find((candidate) => isReservedFor(candidate, claim)) ??
      (claim.spec?.dataSource ? undefined : all.find((candidate) => isFreeFor(candidate, claim)));
    if (volume !== undefined) {
      bind(claim, volume);
      return;
    }
    const storageClass = store.get<StorageClass>(storageClasses, `/${classOf(claim)}`);
    if (storageClass !== undefined && mayProvision(claim, storageClass)) provision(cluster, claim, storageClass);
  }

  function mayProvision(claim: Claim, { volumeBindingMode }: StorageClass): boolean {
    if (volumeBindingMode !== "WaitForFirstConsumer" || selectedNodeOf(claim) !== undefined) return true;
    return [...store.list<Pod>(pods, claim.metadata.namespace)].some((pod) => claimsOf(pod).includes(keyOf(claim)));
  }

  function bind(claim: Claim, volume: Volume): void {
    const { namespace, name, uid, resourceVersion } = claim.metadata;
    changeObject<Volume>(cluster, volumes, keyOf(volume), ({ metadata, spec = {}, status }) => {
      if (spec.claimRef === undefined) metadata.annotations = { ...metadata.annotations, [boundByController]: "yes" };
      if (spec.claimRef?.uid === uid) return;
      const reference = {
        ...spec.claimRef,
        kind: "PersistentVolumeClaim",
        apiVersion: "v1",
        namespace: namespace ?? "",
      };
      spec.claimRef = { ...reference, name, uid, resourceVersion };
      if (status) status.phase = "Bound";
    });
    changeObject<Claim>(cluster, claims, keyOf(claim), (copy) => {
      const given = copy.metadata.annotations;
      const chosen = copy.spec?.volumeName ? {} : { [boundByController]: "yes" };
      copy.metadata.annotations = { ...given, [bindCompleted]: "yes", ...chosen };
      (copy.spec ??= {}).volumeName = volume.metadata.name;
      const { accessModes, capacity } = volume.spec ?? {};
      copy.status = { phase: "Bound", ...(accessModes && { accessModes }), ...(capacity && { capacity }) };
    });
  }

  function setPhase(key: string, phase: "Pending" | "Lost"): void {
    changeObject<Claim>(cluster, claims, key, (claim) => {
      claim.status = { phase };
    });
  }

  return {
    *concerns({ resource, object }) {
      if (resource === claims) yield keyOf(object);
      else if (resource === pods) yield* claimsOf(object);
      else if (resource === volumes) {
        const { claimRef } = (object as Volume).spec ?? {};
        if (claimRef !== undefined) yield `${claimRef.namespace}/${claimRef.name}`;
      }
      // Whatever a waiting claim may wait for.
      const wakers = [
        "secrets",
        "persistentvolumes",
        "storageclasses.storage.k8s.io",
        "volumesnapshots.snapshot.storage.k8s.io",
      ];
      if (!wakers.includes(resourceId(resource))) return;
      for (const claim of store.list<Claim>(claims)) if (claim.status?.phase === "Pending") yield keyOf(claim);
    },
    reconcile(key) {
      const claim = store.get<Claim>(claims, key);
      if (claim === undefined || isDeleting(claim)) return;
      if (claim.spec?.volumeName) bindNamed(key, claim, claim.spec.volumeName);
      else bindAny(claim);
    },
  };
}

/** Whether a volume names the claim: by name, and by uid if it says one. */
function isReservedFor({ spec }: Volume, { metadata }: Claim): boolean {
  const { namespace, name, uid } = spec?.claimRef ?? {};
  return name === metadata.name && namespace === metadata.namespace && (!uid || uid === metadata.uid);
}

function isFreeFor({ spec = {}, status, metadata }: Volume, claim: Claim): boolean {
  const wish = claim.spec ?? {};
  return (
    status?.phase === "Available" &&
    spec.claimRef === undefined &&
    (spec.storageClassName ?? "") === classOf(claim) &&
    (spec.volumeMode ?? "Filesystem") === (wish.volumeMode ?? "Filesystem") &&
    (wish.accessModes ?? []).every((mode) => spec.accessModes?.includes(mode)) &&
    parseQuantity(spec.capacity?.storage) >= parseQuantity(wish.resources?.requests?.storage) &&
    (wish.selector === undefined || selects(wish.selector, metadata.labels))
  );
}
