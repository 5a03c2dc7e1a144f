import type { JobContext } from "../../jobs/phase.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { DrsError } from "../../errors.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import {
  hasStatus,
  isAllocationRefusal,
  isDenied,
  lacksRights,
  type KubernetesError,
} from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { StoreError } from "../../store/store-errors.ts";
import { isGone } from "../../kubernetes/waiting.ts";
import { rulesOf } from "../../kinds/kinds.ts";

/** Refusals that another try may not meet: a quota that is being counted, a conflict. Objects that need longer come again last. */
const retryDelaysMs = [200, 1_000];
const replacedTimeoutMs = 30_000;

export interface ObjectRestorerDeps {
  readonly cluster: Cluster;
  readonly signal: AbortSignal;
  readonly warn: JobContext["warn"];
  readonly info: (text: string) => void;
  /** How long, in milliseconds, an object that somebody else has deleted is waited for. */
  readonly finalizerTimeout?: number;
  /** Whether an object's dependents must not go with it when it is recreated, as they would not be recreated. */
  readonly isPartial?: boolean;
}

/**
 * Makes the cluster hold an object as it was saved, whether or not there is one of its name already: it is created, or else
 * updated as of the version that was looked at. Only where a field cannot be changed is it recreated, and then only when the
 * API server has said, in a dry run, that it takes the new one: a live object is never deleted for one that is refused.
 * Returns its metadata, with the new uid. May be repeated.
 */
export class ObjectRestorer {
  readonly #deps: ObjectRestorerDeps;

  constructor(deps: ObjectRestorerDeps) {
    this.#deps = deps;
  }

  /** `seen`: the one that is there, as far as is known. Throws the API server's last refusal when it does not take the object. */
  async restore(type: ResourceType, object: KubernetesObject, seen?: Seen): Promise<KubernetesObject> {
    for (let attempt = 0; ; attempt++) {
      try {
        const namespace = object.metadata.namespace ?? "";
        if (attempt > 0) return await this.#replace(type, namespace, object);
        return await (seen ? this.#update(type, namespace, object, seen) : this.#create(type, namespace, object));
      } catch (error) {
        await this.#beforeRetry(error, attempt);
      }
    }
  }

  async #beforeRetry(error: unknown, attempt: number): Promise<void> {
    const delay = retryDelaysMs[attempt];
    if (delay === undefined || !(hasStatus(error, 403, 404, 409, 500) || isDenied(error))) throw error;
    await sleep(delay, undefined, { signal: this.#deps.signal });
  }

  /** Creates an object, with the same errors; undefined, and nothing done, when there is one of its name. */
  async add(type: ResourceType, object: KubernetesObject): Promise<KubernetesObject | undefined> {
    const { cluster, signal } = this.#deps;
    const { namespace = "", name } = object.metadata;
    for (let attempt = 0; ; attempt++) {
      if (await cluster.get(type, namespace, name, signal)) return undefined;
      try {
        return await cluster.create(type, namespace, object, signal);
      } catch (error) {
        if (hasStatus(error, 409) && error.code === "ALREADY_EXISTS") return undefined;
        if (isOfAddresses(type, error)) return this.#createWithNewAddresses(type, namespace, object, error);
        await this.#beforeRetry(error, attempt);
      }
    }
  }

  /** Updates the object that was seen at once; one that has changed by now, or needs more than that, is compared again. */
  async #update(
    type: ResourceType,
    namespace: string,
    object: KubernetesObject,
    seen: Seen,
  ): Promise<KubernetesObject> {
    if (seen.isTerminating || rulesOf(type).merge) return this.#replace(type, namespace, object);
    try {
      return await this.#deps.cluster.replace(type, namespace, inPlaceOf(seen, object), this.#deps.signal);
    } catch (error) {
      if (!hasStatus(error, 404, 409, 422)) throw error;
      return this.#replace(type, namespace, object);
    }
  }

  async #create(type: ResourceType, namespace: string, object: KubernetesObject): Promise<KubernetesObject> {
    const { cluster, signal } = this.#deps;
    try {
      return await cluster.create(type, namespace, object, signal);
    } catch (error) {
      if (hasStatus(error, 409) && error.code === "ALREADY_EXISTS") return this.#replace(type, namespace, object);
      if (!isOfAddresses(type, error)) throw error;
      const existing = await cluster.get(type, namespace, object.metadata.name, signal);
      return existing
        ? this.#replace(type, namespace, object)
        : this.#createWithNewAddresses(type, namespace, object, error);
    }
  }

  async #createWithNewAddresses(
    type: ResourceType,
    namespace: string,
    object: KubernetesObject,
    { detail }: KubernetesError,
  ): Promise<KubernetesObject> {
    const { cluster, signal, warn } = this.#deps;
    const others = rulesOf(type).withoutAllocations?.(object) ?? object;
    const created = await cluster.create(type, namespace, others, signal);
    warn(
      "DRS-R079",
      namespace,
      `service ${object.metadata.name} has new addresses or ports, because it cannot get its former ones: ${detail}`,
    );
    return created;
  }

  async #replace(type: ResourceType, namespace: string, object: KubernetesObject): Promise<KubernetesObject> {
    const { cluster, signal } = this.#deps;
    const { name } = object.metadata;
    const existing = await cluster.get(type, namespace, name, signal);
    if (!existing) return this.#create(type, namespace, object);
    if (existing.metadata.deletionTimestamp !== undefined) {
      await this.#goneByItself(type, namespace, existing);
      return this.#create(type, namespace, object);
    }
    const patch = rulesOf(type).merge?.(existing, object);
    if (patch) return (await cluster.patch(type, namespace, name, patch, signal)) ?? existing;
    const { resourceVersion = "", uid = "" } = existing.metadata;
    try {
      return await cluster.replace(type, namespace, inPlaceOf({ resourceVersion, uid }, object), signal);
    } catch (error) {
      if (!isImmutable(error) || rulesOf(type).isNeverRecreated) throw error;
      await this.#isCreatable(type, namespace, object, error);
      // Its finalizers have to be taken off, also that of the garbage collector.
      await cluster.dryRun.patch(type, namespace, name, { metadata: { annotations: {} } }, signal);
      await this.#gone(type, namespace, existing);
      return this.#create(type, namespace, object);
    }
  }

  /**
   * Throws the refusal of the update unless the same object could be created: then it is a field that cannot be changed. A
   * policy that keeps it from being created is the reason then, and thrown.
   */
  async #isCreatable(
    type: ResourceType,
    namespace: string,
    object: KubernetesObject,
    refusal: KubernetesError,
  ): Promise<void> {
    const { cluster, signal } = this.#deps;
    try {
      await cluster.dryRun.create(type, namespace, object, signal);
    } catch (error) {
      // All is checked before the name is found to be taken. The addresses are taken by the one that goes.
      const isTaken = hasStatus(error, 409) || isOfAddresses(type, error);
      if (!isTaken) throw isDenied(error) || hasStatus(error, 403) ? error : refusal;
    }
  }

  /** Waits for an object that somebody has deleted; finalizers that still hold it then are reported, and removed. */
  async #goneByItself(type: ResourceType, namespace: string, existing: KubernetesObject): Promise<void> {
    const { cluster, signal, info, finalizerTimeout = replacedTimeoutMs } = this.#deps;
    const { name, uid = "" } = existing.metadata;
    try {
      await isGone(cluster, type, namespace, { name, uid }, finalizerTimeout, signal);
    } catch (error) {
      if (!(error instanceof DrsError) || error.code !== "FAILED_PRECONDITION") throw error;
      info(`${error.message}: the finalizers are removed, and it comes back with them`);
      const seen = await cluster.get(type, namespace, name, signal);
      if (seen?.metadata.uid === uid) await this.#gone(type, namespace, seen);
    }
  }

  /**
   * Deletes the very object that was compared, to be recreated. Its finalizers go first, as nothing that belongs to it must
   * be torn down; its dependents stay, except the pods and revisions of workloads, which follow from it.
   */
  async #gone(type: ResourceType, namespace: string, { metadata }: KubernetesObject): Promise<void> {
    const { cluster, signal } = this.#deps;
    const { name, uid = "", resourceVersion, finalizers = [] } = metadata;
    if (finalizers.length > 0)
      await cluster.patch(type, namespace, name, { metadata: { resourceVersion, finalizers: null } }, signal);
    const goesWithOwned = rulesOf(type).ownsPods === true && this.#deps.isPartial !== true;
    const propagation = goesWithOwned ? "Background" : "Orphan";
    await cluster.delete(type, namespace, name, signal, { uid, propagation });
    await isGone(cluster, type, namespace, { name, uid }, replacedTimeoutMs, signal);
  }
}

/** A live object, as of the version that was seen. */
export interface Seen {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly isTerminating: boolean;
}

function isOfAddresses(type: ResourceType, error: unknown): error is KubernetesError {
  return rulesOf(type).withoutAllocations !== undefined && isAllocationRefusal(error);
}

function inPlaceOf({ uid, resourceVersion }: Omit<Seen, "isTerminating">, object: KubernetesObject): KubernetesObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion, uid } };
}

/**
 * Whether an update may have been refused for a field that can be set only once: validation names such fields, while a policy
 * or webhook that does not take the object speaks of itself.
 */
function isImmutable(error: unknown): error is KubernetesError {
  return hasStatus(error, 422) && error.fields.length > 0 && !isDenied(error);
}

/**
 * The text about an object that the cluster refused. Anything but a refusal of this one object is rethrown:
 * without its rights, or its bookkeeping, the service would say the same of every object.
 */
export function refusalOf(error: unknown): string {
  const isOfObject = error instanceof DrsError && error.code !== "UNAVAILABLE" && !(error instanceof StoreError);
  if (!isOfObject || lacksRights(error)) throw error;
  return error.message;
}
