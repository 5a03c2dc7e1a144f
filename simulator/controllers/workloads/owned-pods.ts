import { createHash } from "node:crypto";
import { createObject } from "../../objects/create-object.ts";
import type { Cluster } from "../../cluster.ts";
import { printJson } from "../../objects/json.ts";
import type { Pod, PodTemplate, Workload } from "../../objects/kinds.ts";
import { controllerOf, isDeleting, keyOf } from "../../objects/kubernetes-object.ts";
import type { KubernetesObject, ObjectKey, OwnerReference } from "../../objects/kubernetes-object.ts";
import { selects } from "../../objects/label-selector.ts";
import { builtIn } from "../../objects/registry.ts";
import type { Resource } from "../../objects/resource.ts";
import { changeObject } from "../../objects/update-object.ts";

export const pods = builtIn("pods");

/** The reference with which a controller marks what it makes. */
export function ownedBy(owner: KubernetesObject): OwnerReference {
  const { apiVersion, kind, metadata } = owner;
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true };
}

/** The objects of a kind that a workload controls, among them those it now adopts: without controller, selected by it. */
export function ownedObjects<T extends KubernetesObject>(cluster: Cluster, resource: Resource, owner: Workload): T[] {
  const owned: T[] = [];
  for (const object of cluster.store.list<T>(resource, owner.metadata.namespace)) {
    const controller = controllerOf(object);
    if (controller?.uid === owner.metadata.uid) owned.push(object);
    else if (controller === undefined && !isDeleting(object) && selects(owner.spec?.selector, object.metadata.labels)) {
      changeObject(cluster, resource, keyOf(object), ({ metadata }) => {
        metadata.ownerReferences = [...(metadata.ownerReferences ?? []), ownedBy(owner)];
      });
      owned.push(object);
    }
  }
  return owned;
}

/** Of an object's controllers, the key of the one of this kind. */
export function* ownerKey(object: KubernetesObject, kind: string): Generator<ObjectKey> {
  const owner = controllerOf(object);
  if (owner?.kind === kind) yield `${object.metadata.namespace}/${owner.name}`;
}

export function createPod(
  cluster: Cluster,
  owner: Workload,
  { name, generateName, labels = {} }: { name?: string; generateName?: string; labels?: Record<string, string> },
  spec: object = {},
): void {
  const template = owner.spec?.template;
  createObject(cluster, pods, {
    kind: "Pod",
    apiVersion: "v1",
    metadata: {
      ...(name ? { name } : {}),
      ...(generateName ? { generateName } : {}),
      namespace: owner.metadata.namespace ?? "",
      labels: { ...template?.metadata?.labels, ...labels },
      ...(template?.metadata?.annotations ? { annotations: template.metadata.annotations } : {}),
      ownerReferences: [ownedBy(owner)],
    },
    spec: { restartPolicy: "Always", ...template?.spec, ...spec },
  });
}

export function isActive(pod: Pod): boolean {
  return !isDeleting(pod) && !isTerminated(pod);
}

export function isTerminated({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
}

/** A name for a version of a pod template. */
export function templateHash(template: PodTemplate | undefined): string {
  return createHash("sha256")
    .update(printJson(template ?? {}))
    .digest("hex")
    .slice(0, 10);
}

/** The counts that are not zero: the API leaves the others out. */
export function nonZero(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}
