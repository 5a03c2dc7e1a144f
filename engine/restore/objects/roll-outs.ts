import { isDeepStrictEqual } from "node:util";
import { type KubernetesObject, type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import type { PodTemplate } from "../../kinds/core/pod-template.ts";
import { type LabelSelector, matches } from "../../kubernetes/label-selector.ts";
import { isRevision } from "../../objects/object-selection.ts";
import { isInRollOut, podCounts, rollingKinds, specOf, statusOf } from "../../kinds/apps/roll-out-status.ts";
import { revisionKinds } from "../../kinds/restore-order.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";

/** A workload that was saved while pods of an older template ran. */
export interface RollOut {
  readonly type: ResourceType;
  readonly archived: KubernetesObject;
  /** The template of the older pods; of several the one that most of them have. Absent when it is not in the archive. */
  readonly older?: PodTemplate;
  /** So many of its older pods were up, and in all so many pods had the newest template. */
  readonly olderUp: number;
  readonly updated: number;
  /** All that is saved of the workload, the oldest first. */
  readonly revisions: readonly { readonly type: ResourceType; readonly object: KubernetesObject }[];
}

/** The roll-outs that a source was saved in, by their workloads' uids. */
export async function rollOutsOf(source: RestoreSource, signal: AbortSignal): Promise<ReadonlyMap<string, RollOut>> {
  const workloads = new Map<string, { type: ResourceType; archived: KubernetesObject }>();
  for await (const { type, object } of objectsOf(source, partsOf(source, rollingKinds), signal))
    if (isInRollOut(type, object)) workloads.set(object.metadata.uid ?? "", { type, archived: object });
  if (workloads.size === 0) return new Map();
  const revisions = new Map<string, { type: ResourceType; object: KubernetesObject }[]>();
  for await (const { type, object } of objectsOf(source, partsOf(source, revisionKinds), signal)) {
    const owner = object.metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid ?? "";
    if (isRevision(type, object) && workloads.has(owner))
      revisions.set(owner, [...(revisions.get(owner) ?? []), { type, object }]);
  }
  const rollOuts = new Map<string, RollOut>();
  for (const [uid, { type, archived }] of workloads) {
    const ofIt = (revisions.get(uid) ?? []).toSorted((a, b) => revisionNumber(a.object) - revisionNumber(b.object));
    const rollOut = rollOutOf(type, archived, ofIt);
    if (rollOut) rollOuts.set(uid, rollOut);
  }
  return rollOuts;
}

/** Undefined when all pods that were up had the newest template. */
export function rollOutOf(
  type: ResourceType,
  archived: KubernetesObject,
  revisions: RollOut["revisions"],
): RollOut | undefined {
  const { updated, older: olderPods } = podCounts(type, archived);
  const found = { type, archived, updated, revisions };
  const isNewest = ({ object }: { object: KubernetesObject }) =>
    isDeepStrictEqual(templateOf(object), withoutHash(specOf(archived).template));
  const others = revisions.filter((revision) => !isNewest(revision)).map(({ object }) => object);
  if (resourceName(type) !== "deployments.apps") {
    const { readyReplicas, numberReady } = statusOf(archived);
    const older = others.find(({ metadata }) => metadata.name === olderRevision(archived)) ?? others.at(-1);
    const olderUp = Math.min(readyReplicas ?? numberReady ?? 0, olderPods);
    return { ...found, olderUp, ...(older && { older: templateOf(older) }) };
  }
  const newestUp = revisions.filter(isNewest).reduce((sum, { object }) => sum + up(object), 0);
  const olderUp = others.reduce((sum, set) => sum + up(set), 0);
  if (revisions.length === 0) return { ...found, olderUp: olderPods }; // an archive that holds none
  if (olderUp === 0 || newestUp >= (specOf(archived).replicas ?? 1)) return undefined;
  const [most] = others.toSorted((a, b) => up(b) - up(a));
  return { ...found, olderUp, ...(most && { older: templateOf(most) }) };
}

function up(set: KubernetesObject): number {
  return statusOf(set).availableReplicas ?? 0;
}

/**
 * Whether a workload keeps a revision for its own. Its controller releases what its selector does not match.
 * https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#selector
 */
export function keepsRevision(workload: KubernetesObject, revision: KubernetesObject): boolean {
  const { selector = {} } = (workload["spec"] ?? {}) as { selector?: LabelSelector };
  return matches(selector, revision.metadata.labels);
}

/** A stateful set's status about its older pods. With OnDelete it names a revision that no pod may have any more. */
function olderRevision(archived: KubernetesObject): string | undefined {
  const { currentReplicas = 0, currentRevision } = statusOf(archived);
  return currentReplicas > 0 ? currentRevision : undefined;
}

/**
 * The pod template that a revision stands for. A controller revision holds it as a patch that replaces the one before.
 * https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/
 */
export function templateOf(revision: KubernetesObject): PodTemplate {
  const { template } =
    ((revision["data"] ?? revision) as { spec?: { template?: PodTemplate & { $patch?: string } } }).spec ?? {};
  const { $patch: _patch, ...rest } = template ?? {};
  return withoutHash(rest);
}

/** A template as its owner has it: without the mark of its revision, and what clusters before 1.34 write for no time. */
export function withoutHash(template: PodTemplate = {}): PodTemplate {
  const { creationTimestamp: _none, labels = {}, ...metadata } = (template.metadata ?? {}) as Metadata;
  const { "pod-template-hash": _hash, ...ownLabels } = labels;
  return { ...template, metadata: { ...metadata, labels: ownLabels } };
}

type Metadata = NonNullable<PodTemplate["metadata"]> & { creationTimestamp?: null };

const revisionAnnotation = "deployment.kubernetes.io/revision";

/** The number by which a revision is known to `kubectl rollout undo`. */
export function revisionNumber(revision: KubernetesObject): number {
  return Number(revision["revision"] ?? revision.metadata.annotations?.[revisionAnnotation] ?? 0);
}
