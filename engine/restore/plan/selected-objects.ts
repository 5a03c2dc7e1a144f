import type { ArchiveReader } from "../../archive/archive-reader.ts";
import type { Part } from "../../archive/format.ts";
import { DrsError } from "../../errors.ts";
import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import { type KubernetesObject, resourceName } from "../../kubernetes/kubernetes-object.ts";
import type { RestorePlan, SelectedObject } from "../../model.ts";
import { isOfRelease } from "../../objects/belongings.ts";
import { ClusterScopedNeeds } from "../../objects/cluster-scoped-needs.ts";
import { claimPrefixes, namespacedNeeds } from "../../objects/namespaced-needs.ts";
import { referencesOf } from "../../objects/references.ts";
import { type RoleRef, subjectsOf } from "../../kinds/rbac/subjects.ts";
import { driverFor } from "../../volumes/saved-data.ts";
import { listed } from "../../objects/listed.ts";
import { namespacesOf, objectKey } from "../source/scope.ts";

/** The objects that a selection takes from an archive, by `objectKey`. */
export interface Selected {
  /** The requested objects. */
  readonly asked: ReadonlySet<string>;
  /** Their needs, cluster-scoped objects too. */
  readonly needed: ReadonlySet<string>;
}

const accounts = "serviceaccounts";
const clusterRoles = "clusterroles.rbac.authorization.k8s.io";
const clusterRoleBindings = "clusterrolebindings.rbac.authorization.k8s.io";

/**
 * Finds out what a selection takes of an archive while its objects pass by: first the namespaced ones, then the others, one
 * kind after the other in the order of `verbsOfNeeds`. Only names are kept.
 */
export class SelectedObjects {
  readonly #plan: RestorePlan;
  readonly #archive: ArchiveReader;
  readonly #namespaces: ReadonlySet<string>;
  readonly #needs: ClusterScopedNeeds;
  readonly #seen = new Set<string>();
  /** The needs of an object, which may be missing. */
  readonly #edges = new Map<string, Set<string>>();
  readonly #prefixes: { readonly from: string; readonly claims: string }[] = [];
  readonly #neededByNamespaces = new Set<string>();

  constructor(plan: RestorePlan, archive: ArchiveReader) {
    const namespaces = namespacesOf(archive.manifest.includedNamespaces, plan.selection);
    this.#plan = plan;
    this.#archive = archive;
    this.#namespaces = new Set(namespaces);
    this.#needs = new ClusterScopedNeeds(namespaces);
  }

  see(part: Part, object: KubernetesObject): void {
    const { namespace = "", name } = object.metadata;
    if (part.namespaced && !this.#namespaces.has(namespace)) return;
    const own = objectKey(part, namespace, name);
    this.#seen.add(own);
    if (!part.namespaced) {
      this.#seeClusterScoped(part, object, own);
      return;
    }
    this.#needs.note(part, object);
    for (const { from, to } of namespacedNeeds(part, object))
      this.#link(`${from.resource}/${namespace}/${from.name}`, `${to.resource}/${namespace}/${to.name}`);
    for (const { resource, name: needed } of referencesOf(part, object)) this.#link(own, `${resource}//${needed}`);
    for (const prefix of claimPrefixes(part, object))
      this.#prefixes.push({ from: own, claims: objectKey(persistentVolumeClaims, namespace, prefix) });
  }

  #seeClusterScoped(part: Part, object: KubernetesObject, own: string): void {
    const isNeeded = this.#needs.isNeeded(part, object);
    if (isNeeded || isOfRelease(this.#namespaces, object) || this.#makesVolumes(object))
      this.#neededByNamespaces.add(own);
    if (resourceName(part) !== clusterRoleBindings) return;
    this.#link(own, `${clusterRoles}//${(object["roleRef"] as RoleRef).name}`);
    for (const { kind, namespace = "", name } of subjectsOf(object))
      if (kind === "ServiceAccount") this.#link(`${accounts}/${namespace}/${name}`, own);
  }

  /** Whether it is a storage class of a driver that has snapshots of the selected namespaces. */
  #makesVolumes({ provisioner }: KubernetesObject): boolean {
    return this.#archive.manifest.volumes.some(
      (volume) => this.#namespaces.has(volume.namespace) && driverFor(volume) === provisioner,
    );
  }

  #link(from: string, to: string): void {
    this.#edges.set(from, (this.#edges.get(from) ?? new Set()).add(to));
  }

  /** To be called when all have passed. FAILED_PRECONDITION names selected objects that are not in the archive. */
  selected(): Selected {
    const { selection } = this.#plan;
    if (selection.what !== "objects") {
      const asked = new Set([...this.#seen].filter((key) => !key.includes("//")));
      return { asked, needed: this.#neededByNamespaces };
    }
    this.#linkClaims();
    const asked = new Set(this.#named(selection.objects));
    const reached = new Set(asked);
    // The iteration goes on to objects added meanwhile.
    for (const key of reached)
      for (const needed of this.#edges.get(key) ?? []) if (this.#seen.has(needed)) reached.add(needed);
    return { asked, needed: reached.difference(asked) };
  }

  /** A stateful set's claims have its name, and a number. */
  #linkClaims(): void {
    for (const { from, claims } of this.#prefixes)
      for (const key of this.#seen)
        if (key.startsWith(claims) && /^\d+$/.test(key.slice(claims.length))) this.#link(from, key);
  }

  #named(objects: readonly SelectedObject[]): readonly string[] {
    const missing: string[] = [];
    const keys = objects.flatMap(({ kind, namespace, name }) => {
      const parts = partsNamed(this.#archive.parts, kind);
      if (parts.length > 1)
        throw new DrsError(
          "FAILED_PRECONDITION",
          `kind ${kind} may be any of ${parts.map(resourceName).join(", ")}: name one of these`,
          { id: "DRS-R032" },
        );
      const [part] = parts;
      const key = part && objectKey(part, namespace, name);
      if (key !== undefined && this.#seen.has(key)) return [key];
      missing.push(part ? `${part.kind} ${namespace}/${name}` : `${kind} ${namespace}/${name} (nor any other ${kind})`);
      return [];
    });
    if (missing.length === 0) return keys;
    throw new DrsError(
      "FAILED_PRECONDITION",
      `the backup does not contain ${listed(missing)}: select objects it contains, by kind (Deployment, or deployments.apps), namespace and name`,
      { id: "DRS-R031" },
    );
  }
}

/** The namespaced parts of a kind by its name, that of its resource, or both with its group. */
function partsNamed(parts: readonly Part[], kind: string): readonly Part[] {
  const namespaced = parts.filter((part) => part.namespaced);
  const exact = namespaced.filter((part) => resourceName(part) === kind);
  return exact.length > 0 ? exact : namespaced.filter((part) => part.kind === kind || part.resource === kind);
}
