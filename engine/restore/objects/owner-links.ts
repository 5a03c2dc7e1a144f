import { warnOtherwise } from "../source/restore-source.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { DiscoveredResource } from "../../kubernetes/discovery.ts";
import { forEachInFlight } from "../../kubernetes/in-flight.ts";
import {
  groupOf,
  type KubernetesObject,
  type ObjectMeta,
  type OwnerReference,
  type ResourceType,
} from "../../kubernetes/kubernetes-object.ts";
import { isRevision } from "../../objects/object-selection.ts";
import { ownerUids } from "../compare/live-objects.ts";
import { refusalOf } from "./object-restorer.ts";
import { reportAbandoned } from "./refused-objects.ts";
import { keepsRevision } from "./roll-outs.ts";

/** An object that waits for an owner which is not there yet. */
interface Pending {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly name: string;
  readonly owners: readonly OwnerReference[];
  /** The uids of the owners that it has, where they may be the right ones. */
  readonly has?: string;
}

/**
 * Gives restored objects their owners back, which have new uids now. An object with an owner that does not exist would be
 * deleted by the garbage collector, so it is made without, and linked when its owners are there.
 * https://kubernetes.io/docs/concepts/architecture/garbage-collection/
 *
 * Its knowledge is noted, to survive a crash. In memory are only the uids of owners, not of all objects.
 */
export class OwnerLinks {
  readonly #context: JobContext;
  readonly #notesPrefix: string;
  readonly #ownerNotes: string;
  readonly #uidNotes: string;
  readonly #pendingNotes: string;
  /** Old uids of owners, with the new ones as far as they are known. */
  readonly #uids = new Map<string, string | undefined>();

  constructor(context: JobContext, notesPrefix: string) {
    this.#context = context;
    this.#notesPrefix = notesPrefix;
    this.#ownerNotes = `${notesPrefix}owner/`;
    this.#uidNotes = `${notesPrefix}uid/`;
    this.#pendingNotes = `${notesPrefix}pending-owner/`;
    for (const [key] of context.notes.entries(this.#ownerNotes))
      this.#uids.set(key.slice(this.#ownerNotes.length), undefined);
    for (const [key, uid] of context.notes.entries<string>(this.#uidNotes))
      this.#uids.set(key.slice(this.#uidNotes.length), uid);
  }

  /** Notes whose uids will be needed; to be called for every object before the first one is restored. */
  expect({ metadata }: { readonly metadata: Pick<ObjectMeta, "ownerReferences"> }): void {
    const unknown = new Set((metadata.ownerReferences ?? []).map(({ uid }) => uid)).difference(this.#uids);
    if (unknown.size === 0) return;
    this.#context.notes.setAll(unknown.values().map((uid) => [this.#ownerNotes + uid, true]));
    for (const uid of unknown) this.#uids.set(uid, undefined);
  }

  /** The owners that an archived object can be created with now; those that are missing are noted for `linkPending`. */
  ownersFor(type: ResourceType, archived: KubernetesObject): readonly OwnerReference[] {
    const owners = archived.metadata.ownerReferences ?? [];
    if (owners.length === 0) return [];
    const linked = owners.flatMap((owner) => this.#linked(owner) ?? []);
    if (linked.length < owners.length) this.relink(type, archived);
    return linked;
  }

  /** Notes an object that stays where it is, unless the owners it has, by their uids, are known to stay, too. */
  left(type: ResourceType, archived: KubernetesObject, has: string): void {
    const owners = archived.metadata.ownerReferences ?? [];
    if (ownerUids(owners.flatMap((owner) => this.#linked(owner) ?? [])) !== has) this.relink(type, archived, has);
  }

  /** Notes an object's owners for `linkPending`, as it is made without some of them, or they are taken from it. */
  relink(type: ResourceType, { metadata }: KubernetesObject, has?: string): void {
    const { namespace = "", name, ownerReferences: owners = [] } = metadata;
    if (owners.length === 0) return;
    const { apiVersion, kind, resource, namespaced } = type;
    const pending: Pending = {
      type: { apiVersion, kind, resource, namespaced },
      namespace,
      name,
      owners,
      ...(has !== undefined && { has }),
    };
    // Ends in a slash, or to clear it would clear those of longer names too.
    this.#context.notes.set(`${this.#pendingNotes}${resource}.${apiVersion}/${namespace}/${name}/`, pending);
  }

  /** Takes down what an archived object's uid has become. */
  restored(oldUid: string | undefined, newUid: string | undefined): void {
    if (oldUid === undefined || newUid === undefined || !this.#uids.has(oldUid)) return;
    this.#uids.set(oldUid, newUid);
    this.#context.notes.set(this.#uidNotes + oldUid, newUid);
  }

  /**
   * Links the objects whose owners have come since. With `last`, an owner that is still missing is looked for by its name
   * among all that is there, and otherwise left out with a warning; an object whose links the cluster refuses is
   * an error that names it. A revision created for a workload which stays another one, and does not keep it, is deleted.
   */
  async linkPending(
    cluster: Cluster,
    resources: readonly DiscoveredResource[],
    inFlight: number,
    last: boolean,
  ): Promise<void> {
    const { notes, signal } = this.#context;
    const pending = [...notes.entries<Pending>(this.#pendingNotes)];
    await forEachInFlight(pending, inFlight, async ([key, waiting]) => {
      const { type, namespace, name, owners, has } = waiting;
      if (last && (await this.#isReleased(cluster, resources, waiting))) {
        notes.clear(key);
        return;
      }
      const linked: OwnerReference[] = [];
      for (const owner of owners) {
        const found =
          this.#linked(owner) ??
          (last ? withUid(owner, await this.#named(cluster, resources, owner, namespace)) : undefined);
        if (found) linked.push(found);
        else if (!last) return;
        else
          warnOtherwise(
            this.#context,
            { notesPrefix: this.#notesPrefix },
            "DRS-R082",
            namespace,
            `${type.kind} ${name} was owned by ${owner.kind} ${owner.name}, which does not exist: it no longer has this owner`,
          );
      }
      try {
        if (linked.length > 0 && ownerUids(linked) !== has)
          await cluster.patch(type, namespace, name, { metadata: { ownerReferences: linked } }, signal);
      } catch (error) {
        const text = `does not have all of its owners: ${refusalOf(error)}`;
        if (!last) return;
        reportAbandoned(
          this.#context,
          { notesPrefix: this.#notesPrefix },
          { code: "DRS-R003", namespace, what: `${type.kind} ${name}`, text },
        );
      }
      notes.clear(key);
    });
  }

  #linked(owner: OwnerReference): OwnerReference | undefined {
    const uid = this.#uids.get(owner.uid);
    return uid === undefined ? undefined : { ...owner, uid };
  }

  /**
   * Whether a revision's workload is there by its name only, as it could not be made as saved, and does not keep the
   * revision. One that was made for it is deleted: nobody would own it.
   */
  async #isReleased(
    cluster: Cluster,
    resources: readonly DiscoveredResource[],
    { type, namespace, name, owners, has }: Pending,
  ): Promise<boolean> {
    const { signal, info } = this.#context;
    const controller = owners.find((owner) => owner.controller === true);
    if (!controller || this.#linked(controller)) return false;
    if (!isRevision(type, { metadata: { name, ownerReferences: [...owners] } })) return false;
    const workload = await this.#named(cluster, resources, controller, namespace);
    const revision = workload && (await cluster.get(type, namespace, name, signal));
    if (!workload || !revision || keepsRevision(workload, revision)) return false;
    const { uid = "" } = revision.metadata;
    if (has === undefined) {
      await cluster.delete(type, namespace, name, signal, { uid });
      info(`deleted ${type.kind} ${namespace}/${name}: ${controller.kind} ${controller.name} does not keep it`);
    }
    return true;
  }

  async #named(
    cluster: Cluster,
    resources: readonly DiscoveredResource[],
    owner: OwnerReference,
    namespace: string,
  ): Promise<KubernetesObject | undefined> {
    // A reference may name any version of its kind, `resources` have one of each.
    const group = groupOf(owner.apiVersion);
    const type = resources.find(({ apiVersion, kind }) => groupOf(apiVersion) === group && kind === owner.kind);
    return type && cluster.get(type, type.namespaced ? namespace : "", owner.name, this.#context.signal);
  }
}

function withUid(owner: OwnerReference, found: KubernetesObject | undefined): OwnerReference | undefined {
  const uid = found?.metadata.uid;
  return uid === undefined ? undefined : { ...owner, uid };
}
