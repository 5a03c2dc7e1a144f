import type { SavedData, SavedVolume } from "../../archive/format.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { rightsLacking } from "../../kubernetes/rights.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { fillRights } from "../../objects/rights-needed.ts";
import { dataFor } from "../../volumes/saved-data.ts";
import type { Filling } from "../../volumes/volume-data.ts";
import { inClass } from "../claims/claim-in-class.ts";
import { objectsOf, partsOf, type RestoreSource, volumesOf } from "../source/restore-source.ts";
import { sanitize } from "../../kinds/sanitize.ts";
import { dataForFiller, type Filler, fillerFor } from "../claims/fillers.ts";
import { type Place, placeFor, surveyPlaces } from "./places.ts";

/** A filler that is to be made. */
export interface PlannedFiller extends Place {
  readonly volume: SavedVolume;
  readonly filler: Filler;
  readonly filling: Filling<SavedData>;
}

export interface FillPlan {
  readonly fillers: readonly PlannedFiller[];
  /** Those that are filled when the applications have stopped, and why. */
  readonly later: readonly LaterClaim[];
  /** Those whose claims are there and stay as they are. */
  readonly staying: readonly SavedVolume[];
}

export interface LaterClaim {
  readonly volume: SavedVolume;
  readonly reason: string;
}

/** The namespace of fillers, or the reason why there is none. */
export type FillSite = { readonly namespace: string } | { readonly reason: string };

/**
 * Where volumes can be filled while the applications run: in the namespace that is set, or else in the service's own, if the
 * service's account has the rights there.
 */
export async function fillSiteOf(
  source: RestoreSource,
  { cluster, restore, limits }: Pick<JobDeps, "cluster" | "restore" | "limits">,
  signal: AbortSignal,
): Promise<FillSite> {
  const namespace = restore.fillNamespace ?? (await cluster.ownNamespace(signal)) ?? "";
  if (namespace === "")
    return { reason: "the service has no namespace in the cluster to fill them in (--fill-namespace)" };
  if (volumesOf(source).length === 0) return { namespace };
  const rights = fillRights(namespace);
  const lack = await rightsLacking(cluster, "filling them in advance", rights, limits.clusterConcurrency, signal);
  return lack === undefined ? { namespace } : { reason: lack.message };
}

/** Says of every saved claim whether it can be filled in a namespace while the applications run. */
export async function planFilling(
  source: RestoreSource,
  site: FillSite,
  { cluster }: JobDeps,
  { job, signal }: JobContext,
): Promise<FillPlan> {
  const volumes = new Map(volumesOf(source).map((volume) => [`${volume.namespace}/${volume.claim}`, volume]));
  const fillers: PlannedFiller[] = [];
  const later: LaterClaim[] = [];
  const staying = await stayingClaims(source, cluster, volumes, signal);
  for (const { namespace, claim } of staying) volumes.delete(`${namespace}/${claim}`);
  if (volumes.size === 0) return { fillers, staying, later };
  if ("reason" in site) {
    const { reason } = site;
    return { fillers, staying, later: [...volumes.values()].map((volume) => ({ volume, reason })) };
  }
  const survey = await surveyPlaces(source, cluster, [...volumes.values()], signal);
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumeclaims"]), signal)) {
    const volume = volumes.get(`${object.metadata.namespace ?? ""}/${object.metadata.name}`);
    if (!volume) continue;
    const filler = fillerFor(job.uuid, site.namespace, dataFor(volume));
    const claim = fillerClaim(job.uuid, filler, object);
    const place = await placeFor(survey, cluster, { volume, saved: object, claim }, signal);
    if ("reason" in place) later.push({ volume, reason: place.reason });
    else
      fillers.push({
        ...place,
        volume,
        filler,
        filling: { ...dataForFiller(filler), object: inClass(claim, place.storageClass) },
      });
  }
  return { fillers, later, staying };
}

/** In a restore that only adds missing objects: the volumes of claims that exist. */
async function stayingClaims(
  { scope }: RestoreSource,
  cluster: JobDeps["cluster"],
  volumes: ReadonlyMap<string, SavedVolume>,
  signal: AbortSignal,
): Promise<readonly SavedVolume[]> {
  const staying: SavedVolume[] = [];
  for (const volume of volumes.values()) {
    const { namespace, claim: name } = volume;
    if (scope.liveReachOf(persistentVolumeClaims, { namespace, name }) !== "if missing") continue;
    if (await cluster.get(persistentVolumeClaims, namespace, name, signal)) staying.push(volume);
  }
  return staying;
}

/**
 * The filler as it is created, without its data source. It has the saved claim's annotations, by which drivers know how to create a
 * volume, and none of its labels, by which others select it.
 */
function fillerClaim(uuid: string, { place, name }: Filler, saved: KubernetesObject): KubernetesObject {
  const { apiVersion, kind, metadata, ...claim } = sanitize(persistentVolumeClaims, saved);
  const { annotations } = metadata;
  const spec = { ...(claim["spec"] as Record<string, unknown>) };
  delete spec["selector"]; // the provisioner would refuse it
  return {
    apiVersion: apiVersion ?? persistentVolumeClaims.apiVersion,
    kind: kind ?? persistentVolumeClaims.kind,
    metadata: { namespace: place, name, labels: { [jobLabel]: uuid }, ...(annotations && { annotations }) },
    spec,
  };
}
