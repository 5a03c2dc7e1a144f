import { conflict, notFound } from "./api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { WriteOptions } from "./create-object.ts";
import type { Namespace, Pod } from "./kinds.ts";
import type { KubernetesObject, ObjectKey } from "./kubernetes-object.ts";
import { isDeleting, splitKey, timestamp } from "./kubernetes-object.ts";
import type { Resource } from "./resource.ts";
import { isFinished } from "./update-object.ts";

export interface DeleteOptions extends WriteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

const propagationFinalizers = { Background: undefined, Foreground: "foregroundDeletion", Orphan: "orphan" } as const;
const podGraceSeconds = 30;

/** Deletes an object as the API server does: at once, or by marking it when a finalizer or a grace period holds it. */
export function deleteObject(
  { store }: Cluster,
  resource: Resource,
  key: ObjectKey,
  options: DeleteOptions = {},
): { readonly object: KubernetesObject; readonly gone: boolean } {
  const { name } = splitKey(key);
  const current = store.get(resource, key);
  if (current === undefined) throw notFound(resource, name);
  checkPreconditions(resource, current, options);
  const marked = mark(current, options);
  if (isFinished(marked)) {
    if (!options.dryRun) store.remove(resource, key);
    return { object: marked, gone: true };
  }
  if (options.dryRun || marked === current) return { object: marked, gone: false };
  return { object: store.put(resource, marked), gone: false };
}

function checkPreconditions(
  resource: Resource,
  { metadata }: KubernetesObject,
  { preconditions }: DeleteOptions,
): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid !== undefined && uid !== metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
    throw conflict(resource, metadata.name, why);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const why = `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`;
    throw conflict(resource, metadata.name, why);
  }
}

/** The object as it is while it is being deleted; the same one when that changes nothing. */
function mark(object: KubernetesObject, options: DeleteOptions): KubernetesObject {
  const grace = graceOf(object, options);
  const finalizer = propagationFinalizers[options.propagationPolicy ?? "Background"];
  const { metadata } = object;
  if (isDeleting(object) && !(grace < (metadata.deletionGracePeriodSeconds ?? 0))) return object;
  const { labels, annotations, ownerReferences, finalizers = [], ...rest } = metadata;
  const held = finalizer === undefined || finalizers.includes(finalizer) ? finalizers : [...finalizers, finalizer];
  return {
    ...object,
    metadata: {
      ...rest,
      ...(rest.generation === undefined ? {} : { generation: rest.generation + 1 }),
      deletionTimestamp: timestamp(new Date(Date.now() + grace * 1000)),
      deletionGracePeriodSeconds: grace,
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ...(ownerReferences ? { ownerReferences } : {}),
      ...(held.length > 0 ? { finalizers: held } : {}),
    },
    ...(object.kind === "Namespace" ? { status: { ...(object as Namespace).status, phase: "Terminating" } } : {}),
  };
}

/** Only a pod that a kubelet runs is given time. */
function graceOf(object: KubernetesObject, { gracePeriodSeconds }: DeleteOptions): number {
  if (object.kind !== "Pod" || object.apiVersion !== "v1") return 0;
  const { spec, status } = object as Pod;
  if (!spec?.nodeName || status?.phase === "Succeeded" || status?.phase === "Failed") return 0;
  const own = spec["terminationGracePeriodSeconds"];
  return gracePeriodSeconds ?? (typeof own === "number" ? own : podGraceSeconds);
}
