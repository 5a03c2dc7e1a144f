import type { SavedVolume } from "../../archive/format.ts";
import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { classOf } from "../../kinds/core/claim-class.ts";
import { secrets } from "../../kubernetes/built-in-kinds.ts";
import { lacksRights } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { type SecretPlace, secretsForClaim } from "../../volumes/class-secrets.ts";
import { bytesOf } from "../../volumes/quantity.ts";
import { listed } from "../../objects/listed.ts";
import { objectsOf, partsOf, type RestoreSource, volumesOf } from "../source/restore-source.ts";
import { classFor, driverFor } from "../../volumes/saved-data.ts";
import { existingClasses } from "../../volumes/storage-classes.ts";

/**
 * Proves that each claim can be filled from its snapshot: that there is a storage class of its driver, that its size can be
 * read, and that the Secrets are there, or in the backup, which its class gives the driver. FAILED_PRECONDITION names what is
 * missing. Secrets outside of the namespaces are looked for where the service may.
 */
export async function claimsCanBeFilled(source: RestoreSource, deps: JobDeps, context: JobContext): Promise<void> {
  const { signal } = context;
  const classes = [...(await existingClasses(deps.cluster, signal))];
  for await (const { object } of objectsOf(source, partsOf(source, ["storageclasses.storage.k8s.io"]), signal))
    classes.push(object);
  const volumes = new Map<string, SavedVolume>();
  for (const volume of volumesOf(source)) {
    isMappedToExisting(source, classes, `${volume.namespace}/${volume.claim}`, volume.storageClass);
    if (!classFor(volume, classes)) throw noClass(volume);
    volumes.set(`${volume.namespace}/${volume.claim}`, volume);
  }
  const needed = new Map<string, SecretPlace & { readonly claim: string; readonly storageClass: string }>();
  for await (const { object } of objectsOf(source, partsOf(source, ["persistentvolumeclaims"]), signal)) {
    const claim = `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
    const volume = volumes.get(claim);
    isMappedToExisting(source, classes, claim, classOf(object));
    const storageClass = volume && classFor(volume, classes);
    if (!storageClass) continue;
    hasReadableSize(claim, object);
    for (const place of secretsForClaim(storageClass, object))
      needed.set(`${place.namespace}/${place.name}`, { ...place, claim, storageClass: storageClass.metadata.name });
  }
  if (needed.size === 0) return;
  for await (const { object } of objectsOf(source, partsOf(source, ["secrets"]), signal))
    needed.delete(`${object.metadata.namespace ?? ""}/${object.metadata.name}`);
  const missing: string[] = [];
  for (const [place, { namespace, name, claim, storageClass }] of needed)
    if (source.targetNamespaces.includes(namespace) || !(await isThere(deps, context, namespace, name)))
      missing.push(`${place} (for claim ${claim}, by storage class ${storageClass})`);
  if (missing.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `Secrets are missing that the driver needs to create volumes: ${listed(missing, "; ")}; one of the control plane's ` +
        "namespaces has to be in the backup, any other one in the cluster",
      { id: "DRS-R014" },
    );
}

/** FAILED_PRECONDITION names a claim whose class is to be replaced by a missing one. */
function isMappedToExisting(
  { scope }: RestoreSource,
  classes: readonly KubernetesObject[],
  claim: string,
  name: string,
): void {
  if (!scope.replacesClass(name) || classes.some(({ metadata }) => metadata.name === name)) return;
  throw new DrsError(
    "FAILED_PRECONDITION",
    `claim ${claim} would be in storage class ${name}, as --storage-class-map says, and there is none of this name: create it`,
    { id: "DRS-R093" },
  );
}

function noClass(volume: SavedVolume): DrsError {
  const { namespace, claim, storageClass } = volume;
  const driver = driverFor(volume);
  return new DrsError(
    "FAILED_PRECONDITION",
    `claim ${namespace}/${claim} needs a storage class${driver === undefined ? "" : ` of driver ${driver}`}: ` +
      `${storageClass === "" ? "none" : `neither ${storageClass} nor another one`} exists in the cluster or in the backup; create one`,
    { id: "DRS-R013" },
  );
}

function hasReadableSize(claim: string, object: KubernetesObject): void {
  const { resources } = object["spec"] as { resources?: { requests?: { storage?: string } } };
  try {
    bytesOf(resources?.requests?.storage);
  } catch (error) {
    if (!(error instanceof DrsError)) throw error;
    throw new DrsError("FAILED_PRECONDITION", `claim ${claim} cannot be restored: ${error.message}`, {
      id: "DRS-R015",
      cause: error,
    });
  }
}

/** Of one that the service may not look at it is believed. */
async function isThere(
  { cluster }: JobDeps,
  { signal, info }: JobContext,
  namespace: string,
  name: string,
): Promise<boolean> {
  try {
    return (await cluster.get(secrets, namespace, name, signal)) !== undefined;
  } catch (error) {
    if (!lacksRights(error)) throw error;
    info(`the service may not see whether Secret ${namespace}/${name}, which a storage class names, exists`);
    return true;
  }
}
