import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { isSameJson } from "../../kubernetes/exact-json.ts";
import { type KubernetesObject, type ResourceType, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { isUsedOnlyBy } from "../../objects/cluster-scoped-users.ts";
import { noteAdded } from "./added-objects.ts";
import { restoreFieldOwners } from "../compare/field-owners.ts";
import { refusedKey } from "./restoring-refused.ts";
import { ObjectRestorer, refusalOf } from "./object-restorer.ts";
import type { OwnerLinks } from "./owner-links.ts";
import { reportAbandoned } from "./refused-objects.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";
import { asOneDefault } from "./one-default.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import { sanitize } from "../../kinds/sanitize.ts";
import { inVersion, servedType } from "../../kinds/served-types.ts";

/**
 * Makes the cluster-scoped objects that are missing. One that is there and differs is put back when only these namespaces
 * use it; else it stays as it is, with a warning that names it. One that the cluster refuses is an error that names it.
 */
export async function restoreClusterScoped(
  { cluster, limits }: Pick<JobDeps, "cluster" | "limits">,
  context: JobContext,
  source: RestoreSource,
  links: OwnerLinks,
  kinds: readonly string[],
): Promise<void> {
  const { signal, warn, info } = context;
  const restorer = new ObjectRestorer({ cluster, signal, warn, info, finalizerTimeout: limits.finalizerTimeout });
  const namespaces = new Set(source.targetNamespaces);
  const parts = partsOf(source, kinds);
  if (parts.length === 0) return;
  const discovery = await cluster.discover(signal);
  for await (const { type: saved, object: archived } of objectsOf(source, parts, signal)) {
    const { name } = archived.metadata;
    // A kind that is not served yet is one whose definition has come with this very archive.
    const served = servedType(discovery, saved);
    if (!served && rulesOf(saved).isForSnapshots) continue;
    const type = served ?? saved;
    const existing = await cluster.get(type, "", name, signal);
    const wanted = await asOneDefault(
      { cluster, context, source, type },
      inVersion(sanitize(type, archived), type.apiVersion),
      existing,
    );
    links.restored(archived.metadata.uid, existing?.metadata.uid);
    const begun = `${source.notesPrefix}begun/${resourceName(type)}/${name}`;
    const isOnlyAdded = source.scope.liveReachOf(type, archived.metadata) === "if missing";
    if (existing && isOnlyAdded && context.notes.get(begun) !== true) continue;
    const fate = await fateOf(cluster, namespaces, type, wanted, existing, signal);
    if (fate === "left alone")
      warn(
        "DRS-R080",
        "",
        `${type.kind} ${name} is not as it was saved, and is left as it is: others outside these namespaces may use it`,
      );
    // An earlier run may have died before it had done what comes after.
    if (fate === "left alone" || (fate === "same" && context.notes.get(begun) !== true)) continue;
    if (fate === "made") noteAdded(context, source, type, name);
    try {
      if (fate !== "same") {
        context.notes.set(begun, true);
        const restored = await restorer.restore(type, wanted);
        links.restored(archived.metadata.uid, restored.metadata.uid);
      }
      await restoreFieldOwners(cluster, type, archived, signal);
      context.info(`restored ${type.kind} ${name}`);
      await rulesOf(type).whenMade?.({ cluster, type, archived, signal });
    } catch (error) {
      const refusal = refusalOf(error);
      if (source.isRollback) context.notes.set(refusedKey(source, type, archived), `${type.kind} ${name}: ${refusal}`);
      else
        reportAbandoned(context, source, {
          code: "DRS-R003",
          what: `${type.kind} ${name}`,
          text: `was not restored: ${refusal}`,
        });
    }
  }
}

/** A restore's treatment of a wanted cluster-scoped object. */
export async function fateOf(
  cluster: Cluster,
  namespaces: ReadonlySet<string>,
  type: ResourceType,
  wanted: KubernetesObject,
  existing: KubernetesObject | undefined,
  signal: AbortSignal,
): Promise<"made" | "same" | "put back" | "left alone"> {
  if (!existing) return "made";
  if (isSame(type, wanted, existing)) return "same";
  return (await isUsedOnlyBy(namespaces, cluster, type, existing, signal)) ? "put back" : "left alone";
}

/** Whether the existing object is as the archive has it, apart from what the cluster sets. */
function isSame(type: ResourceType, wanted: KubernetesObject, existing: KubernetesObject): boolean {
  const { apiVersion: _a, kind: _k, ...saved } = wanted;
  const { apiVersion: _b, kind: _l, ...present } = sanitize(type, existing);
  return isSameJson(saved, present);
}
