import { safetyFolder } from "../../archive/archive-paths.ts";
import { formatVersion } from "../../archive/format.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import { type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { RawObject } from "../../kubernetes/raw-object.ts";
import { saveNamespaces } from "../../objects/namespace-saver.ts";
import { savedForSafety } from "./restore-checkpoints.ts";
import { admissionPolicies, clusterScopedKinds } from "../../kinds/restore-order.ts";
import { objectsOf, partsOf, type RestoreSource } from "./restore-source.ts";
import { savedNames } from "./saved-names.ts";
import { type ServedType, servedType } from "../../kinds/served-types.ts";

/**
 * Saves the objects that the restore will replace, in case it must roll back: also the cluster-scoped ones of the
 * backup that nothing in the namespaces uses now. Their volumes are retained instead. Its observations are in the source's
 * index afterwards.
 */
export async function saveForSafety(
  source: RestoreSource,
  discovery: Discovery,
  { cluster, storage, archives, controlPlane }: JobDeps,
  context: JobContext,
): Promise<void> {
  const { job, signal } = context;
  const { targetNamespaces: namespaces } = source;
  const further = objectsOf(
    source,
    partsOf(source, [...clusterScopedKinds(source.reader.parts), ...admissionPolicies]),
    signal,
  );
  const writer = archives.writer(safetyFolder(job.uuid));
  const onListed = await seeing(source, discovery, signal);
  const request = { cluster, discovery, writer, namespaces, further, signal, onListed, onPart: () => {} };
  const parts = await saveNamespaces(request);
  source.index.seen.end();
  await writer.writeManifest(
    {
      formatVersion,
      backupCrn: job.crn,
      backupName: job.name,
      backupJob: job.name,
      state: "COMPLETED",
      entity: controlPlane.namespace,
      includedNamespaces: namespaces,
      createdTime: job.createdAt.toISOString(),
      finishedTime: new Date().toISOString(),
      kubernetesVersion: await cluster.version(signal),
      parts,
      volumes: [],
      messages: [],
      unavailable: discovery.unavailable,
    },
    signal,
  );
  savedForSafety.write(context, { unavailable: discovery.unavailable });
  const objects = parts.reduce((sum, part) => sum + part.objects, 0);
  context.info(
    `saved the ${objects} objects that are there now, in ${storage.description} under ${safetyFolder(job.uuid)}`,
  );
}

/** Compares each listed object with the archived ones of its kind. */
async function seeing(
  source: RestoreSource,
  discovery: Discovery,
  signal: AbortSignal,
): Promise<(type: ResourceType, namespace: string, bytes: Buffer) => void> {
  const { index, reader } = source;
  index.seen.clear();
  index.kept.clear();
  const types = new Map<string, ServedType>();
  const digests = new Map<string, ReadonlySet<string>>();
  const names = new Map<string, ReadonlyMap<string, ReadonlySet<string>>>();
  for (const part of reader.parts) {
    const type = servedType(discovery, part);
    if (type) types.set(keyOf(type), type);
    if (type) digests.set(keyOf(type), (await index.of(source, part, signal)).digests);
    names.set(resourceName(part), await savedNames(source, part, signal));
  }
  return (listed, namespace, bytes) =>
    index.seen.see(listed, namespace, new RawObject(bytes), {
      type: types.get(keyOf(listed)),
      digests: digests.get(keyOf(listed)) ?? none,
      names: names.get(resourceName(listed))?.get(namespace) ?? none,
    });
}

const none: ReadonlySet<string> = new Set();

function keyOf({ apiVersion, resource }: ResourceType): string {
  return `${apiVersion}/${resource}`;
}
