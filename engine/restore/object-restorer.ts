import { setTimeout as sleep } from "node:timers/promises";
import { DrsError } from "../errors.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import {
  hasStatus,
  isAllocationRefusal,
  isDenied,
  lacksRights,
  type KubernetesError,
} from "../kubernetes/kubernetes-error.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { StoreError } from "../store/store-errors.ts";
import { deleteAndWait } from "../volumes/detach-snapshot.ts";
import { withoutAllocations } from "./sanitizers/service.ts";
import { mergedServiceAccount } from "./sanitizers/service-account.ts";

/** Refusals that another try may not meet: a quota that is being counted, a conflict. What takes longer comes again last. */
const retryDelaysMs = [200, 1_000];
const replacedTimeoutMs = 30_000;

export interface ObjectRestorerParts {
  readonly cluster: Cluster;
  readonly signal: AbortSignal;
  readonly warn: (namespace: string, text: string) => void;
}

/**
 * Makes the cluster hold an object as it was saved, whether or not there is one of its name already: an earlier run of the
 * job made it, or the cluster itself did. Gives its metadata, with the new uid. May be repeated.
 */
export class ObjectRestorer {
  readonly #parts: ObjectRestorerParts;

  constructor(parts: ObjectRestorerParts) {
    this.#parts = parts;
  }

  /** Throws the API server's last refusal when it does not take the object. */
  async restore(type: ResourceType, object: KubernetesObject): Promise<KubernetesObject> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#create(type, object);
      } catch (error) {
        const delay = retryDelaysMs[attempt];
        if (delay === undefined || !(hasStatus(error, 403, 404, 409, 500) || isDenied(error))) throw error;
        await sleep(delay, undefined, { signal: this.#parts.signal });
      }
    }
  }

  async #create(type: ResourceType, object: KubernetesObject): Promise<KubernetesObject> {
    const { cluster, signal, warn } = this.#parts;
    const namespace = object.metadata.namespace ?? "";
    try {
      return await cluster.create(type, namespace, object, signal);
    } catch (error) {
      if (hasStatus(error, 409) && error.code === "ALREADY_EXISTS") return this.#replace(type, namespace, object);
      if (resourceName(type) !== "services" || !isAllocationRefusal(error)) throw error;
      const existing = await cluster.get(type, namespace, object.metadata.name, signal);
      if (existing) return this.#replace(type, namespace, object);
      const created = await cluster.create(type, namespace, withoutAllocations(object), signal);
      warn(
        namespace,
        `service ${object.metadata.name} has new addresses or ports, as it cannot have its own: ${error.detail}`,
      );
      return created;
    }
  }

  async #replace(type: ResourceType, namespace: string, object: KubernetesObject): Promise<KubernetesObject> {
    const { cluster, signal } = this.#parts;
    const { name } = object.metadata;
    const existing = await cluster.get(type, namespace, name, signal);
    if (!existing) return cluster.create(type, namespace, object, signal);
    if (existing.metadata.deletionTimestamp !== undefined) {
      await deleteAndWait(cluster, type, namespace, name, replacedTimeoutMs, signal);
      return cluster.create(type, namespace, object, signal);
    }
    if (resourceName(type) === "serviceaccounts")
      return (await cluster.patch(type, namespace, name, mergedServiceAccount(existing, object), signal)) ?? existing;
    const { resourceVersion = "", uid = "" } = existing.metadata;
    try {
      return await cluster.replace(
        type,
        namespace,
        { ...object, metadata: { ...object.metadata, resourceVersion, uid } },
        signal,
      );
    } catch (error) {
      if (!isImmutable(error)) throw error;
      await cluster.delete(type, namespace, name, signal, { uid });
      await deleteAndWait(cluster, type, namespace, name, replacedTimeoutMs, signal);
      return cluster.create(type, namespace, object, signal);
    }
  }
}

/** Some fields can be set only once; the way to change them is another object of the same name. */
function isImmutable(error: unknown): error is KubernetesError {
  return hasStatus(error, 422);
}

/**
 * What a message says of an object that the cluster did not take. Anything but a refusal of this one object is thrown on:
 * without its rights, or its bookkeeping, the service would come to say the same of every object.
 */
export function refusalOf(error: unknown): string {
  const isOfObject = error instanceof DrsError && error.code !== "UNAVAILABLE" && !(error instanceof StoreError);
  if (!isOfObject || lacksRights(error)) throw error;
  return error.message;
}
