import { isDeepStrictEqual } from "node:util";
import type { JobDeps } from "../../jobs/deps.ts";
import { pods } from "../../kubernetes/built-in-kinds.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { isRevision } from "../../objects/object-selection.ts";
import { specOf, statusOf } from "../../kinds/apps/roll-out-status.ts";
import type { NamespacedRestore } from "../objects/restore-object.ts";
import { ObjectRestorer, refusalOf } from "../objects/object-restorer.ts";
import { objectsOf, partsOf } from "../source/restore-source.ts";
import { keepsRevision, revisionNumber, templateOf, withoutHash } from "../objects/roll-outs.ts";
import { type ServedType, servedType } from "../../kinds/served-types.ts";
import { revisionKinds } from "../../kinds/restore-order.ts";
import { wantedObject } from "../../kinds/wanted-object.ts";

/**
 * Makes the revisions of workloads those that were saved: they get the numbers that they had, by which a roll-out is undone
 * and which their controllers have counted up as they were stopped and started; those that have come since are deleted,
 * unless pods have them; those that were deleted for them, as no more than some are kept, come back. Of archives without revisions it touches none. To be called when all is up; may run again.
 */
export async function tidyRevisions({ deps, context, source, discovery }: NamespacedRestore): Promise<void> {
  const { cluster, limits } = deps;
  const { signal, info } = context;
  for (const part of partsOf(source, revisionKinds)) {
    const type = servedType(discovery, part);
    if (!type) continue;
    const saved = new Map<string, Numbered>();
    const owners = new Set<string>();
    for await (const { object } of objectsOf(source, [part], signal)) {
      if (!isRevision(part, object)) continue;
      saved.set(nameIn(object), numbered(object));
      owners.add(ownerIn(object));
    }
    const missing = new Set(saved.keys());
    const wrong: Numbered[] = [];
    const added: KubernetesObject[] = [];
    for (const namespace of source.targetNamespaces)
      for await (const object of cluster.list(type, namespace, signal)) {
        if (!isRevision(type, object) || !owners.has(ownerIn(object))) continue;
        const was = saved.get(nameIn(object));
        missing.delete(nameIn(object));
        if (!was) added.push(object);
        else if (!isDeepStrictEqual(was, numbered(object))) wrong.push(was);
      }
    try {
      await forEachInFlight(added, limits.clusterConcurrency, async (object) => {
        const { namespace = "", name, uid = "" } = object.metadata;
        if (await isUsed(deps, discovery, object, signal)) return;
        await cluster.delete(type, namespace, name, signal, { uid });
        info(`deleted ${type.kind} ${namespace}/${name}, a revision that has come since`);
      });
      if (missing.size > 0)
        await forEachInFlight(objectsOf(source, [part], signal), limits.clusterConcurrency, async ({ object }) => {
          if (missing.has(nameIn(object))) await remake(deps, context, discovery, type, object);
        });
      // After that, and the older ones first: a controller gives the newest a higher number than all others have.
      for (const { namespace, name, patch } of wrong.toSorted((a, b) => a.number - b.number))
        await cluster.patch(type, namespace, name, patch, signal);
    } catch (error) {
      info(`revisions are not as they were: ${refusalOf(error)}`);
    }
  }
}

interface Numbered {
  readonly namespace: string;
  readonly name: string;
  readonly number: number;
  readonly patch: object;
}

const numbering = ["deployment.kubernetes.io/revision", "deployment.kubernetes.io/revision-history"];

/** A revision's number, and the patch that gives it to it. */
function numbered(object: KubernetesObject): Numbered {
  const { namespace = "", name, annotations = {} } = object.metadata;
  const { revision } = object;
  const patch =
    revision === undefined
      ? { metadata: { annotations: Object.fromEntries(numbering.map((it) => [it, annotations[it] ?? null])) } }
      : { revision };
  return { namespace, name, number: revisionNumber(object), patch };
}

function nameIn({ metadata: { namespace = "", name } }: KubernetesObject): string {
  return `${namespace}/${name}`;
}

function controllerOf({ metadata }: KubernetesObject) {
  return metadata.ownerReferences?.find((owner) => owner.controller === true);
}

function ownerIn(object: KubernetesObject): string {
  const owner = controllerOf(object);
  return `${object.metadata.namespace ?? ""}/${owner?.kind}/${owner?.name}`;
}

/** Whether a revision is its workload's newest, or pods have it. */
async function isUsed(
  { cluster }: Pick<JobDeps, "cluster">,
  discovery: Discovery,
  revision: KubernetesObject,
  signal: AbortSignal,
): Promise<boolean> {
  if ((specOf(revision).replicas ?? 0) > 0 || (statusOf(revision).replicas ?? 0) > 0) return true;
  const { namespace = "", name, labels = {} } = revision.metadata;
  const owner = await liveOwner(cluster, discovery, revision, signal);
  if (!owner || isDeepStrictEqual(templateOf(revision), withoutHash(specOf(owner).template))) return true;
  if ([statusOf(owner).currentRevision, statusOf(owner).updateRevision].includes(name)) return true;
  // Pods of stateful sets have the revision's name, those of daemon sets its label.
  const labelSelector = `controller-revision-hash in (${[name, labels["controller-revision-hash"] ?? name].join(",")})`;
  for await (const _pod of cluster.list(pods, namespace, signal, { labelSelector })) return true;
  return false;
}

async function liveOwner(
  cluster: Cluster,
  { resources }: Discovery,
  revision: KubernetesObject,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  const reference = controllerOf(revision);
  const type = resources.find(
    ({ apiVersion, kind }) => apiVersion === reference?.apiVersion && kind === reference.kind,
  );
  return type && cluster.get(type, revision.metadata.namespace ?? "", reference?.name ?? "", signal);
}

/** Makes a saved revision whose workload is there, and keeps it. */
async function remake(
  { cluster }: Pick<JobDeps, "cluster">,
  { signal, warn, info }: JobContext,
  discovery: Discovery,
  type: ServedType,
  archived: KubernetesObject,
): Promise<void> {
  const owner = await liveOwner(cluster, discovery, archived, signal);
  const uid = owner?.metadata.uid;
  const reference = controllerOf(archived);
  if (!owner || uid === undefined || !reference || !keepsRevision(owner, archived)) return;
  const object = wantedObject(type, archived);
  object.metadata.ownerReferences = [{ ...reference, uid }];
  await new ObjectRestorer({ cluster, signal, warn, info }).restore(type, object);
}
