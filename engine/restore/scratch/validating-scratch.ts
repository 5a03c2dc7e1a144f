import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import { persistentVolumeClaims, persistentVolumes } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import type { OwnerReference } from "../../kubernetes/kubernetes-object.ts";
import { checkRights } from "../../kubernetes/rights.ts";
import type { RestorePlan } from "../../model.ts";
import { classOf } from "../../kinds/core/claim-class.ts";
import { scratchRights } from "../../objects/rights-needed.ts";
import { verifyContents } from "../source/archive-contents.ts";
import { dryRun } from "../validate/dry-run.ts";
import { claimsCanBeFilled } from "../validate/fillable-claims.ts";
import { listed } from "../../objects/listed.ts";
import { reportLostRevisions } from "../validate/lost-revisions.ts";
import { OwnerLinks } from "../objects/owner-links.ts";
import { LiveNames } from "../plan/live-names.ts";
import { resolveScope } from "../plan/resolving-scope.ts";
import { SelectedObjects } from "../plan/selected-objects.ts";
import { chooseData } from "../fill/choosing-data.ts";
import { proveData } from "../fill/proving-data.ts";
import { kindsAreServed } from "../validate/pre-validation.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";
import { savedDefinitions } from "../validate/saved-definitions.ts";
import { partsInScope } from "../source/saved-names.ts";
import { planCopies } from "./filling-from-copies.ts";
import { areFree } from "./scratch-namespaces.ts";

/**
 * Proves that a scratch restore can be made, and makes nothing of it: the archive, its snapshots and copies, that its namespaces are free,
 * and that all is there outside of them that it needs and does not make. Whatever fails here fails the job.
 */
export async function validateScratch(
  archive: RestoreSource,
  deps: JobDeps,
  context: JobContext,
  plan: RestorePlan,
): Promise<void> {
  const { cluster, limits, controlPlane } = deps;
  const { job, signal } = context;
  const { reader, targetNamespaces: namespaces } = archive;
  context.setIncludedNamespaces(namespaces);
  const own = [controlPlane.namespace, controlPlane.vaultNamespace, ...controlPlane.furtherNamespaces];
  const taken = namespaces.filter((name) => own.includes(name));
  if (taken.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `a scratch restore goes outside of the control plane, and ${taken.join(", ")} is one of its namespaces`,
      { id: "DRS-R022" },
    );
  await areFree(cluster, namespaces, job.uuid, signal);
  const owners = new Map<string, OwnerReference>();
  const selected = new SelectedObjects(plan, reader);
  await verifyContents(archive, signal, (part, object) => {
    selected.see(part, object);
    for (const owner of object.metadata.ownerReferences ?? []) owners.set(owner.uid, owner);
  });
  context.info(
    `the archive is whole: ${reader.parts.length} kinds of objects, ${reader.manifest.volumes.length} volumes`,
  );
  const discovery = await cluster.discover(signal);
  const rights = scratchRights({
    ...discovery,
    saved: reader.parts.filter((part) => part.namespaced),
    namespaces,
    statusOf: deps.restore.statusOf,
  });
  await checkRights(cluster, "a scratch restore", rights, limits.clusterConcurrency, signal);
  if (await context.claimControlPlane()) return validateScratch(archive, deps, context, plan);
  const { asked, needed } = selected.selected();
  const scope = await resolveScope(archive, plan, { asked, needed }, { cluster, discovery }, context);
  const source = await chooseData({ ...archive, scope }, deps, context);
  const definitions = await savedDefinitions(source, cluster, signal);
  kindsAreServed(await partsInScope(source, signal), discovery, definitions, context);
  await needsAreThere(archive, needed, { cluster, discovery }, context);
  await noVolumeIsTaken(source, cluster, signal);
  await claimsCanBeFilled(source, deps, context);
  await proveData(await planCopies(source, deps, context), deps, context);
  await reportLostRevisions(source, context);
  new OwnerLinks(context, source.notesPrefix).expect({ metadata: { ownerReferences: [...owners.values()] } });
  await dryRun(source, discovery, definitions, deps, context);
}

/** The kinds of cluster-scoped objects that pods and claims require. */
const indispensable =
  /^(customresourcedefinitions|priorityclasses|runtimeclasses|deviceclasses|storageclasses|volumeattributesclasses)\./;

/** A scratch restore makes no cluster-scoped objects. */
async function needsAreThere(
  archive: RestoreSource,
  needed: ReadonlySet<string>,
  { cluster, discovery }: { readonly cluster: Cluster; readonly discovery: Discovery },
  { signal, info }: JobContext,
): Promise<void> {
  const live = new LiveNames(archive, cluster, discovery, signal);
  const missing: string[] = [];
  for (const key of needed)
    if (key.includes("//") && !key.startsWith("persistentvolumes/") && !(await live.has(key)))
      missing.push(key.replace("//", "/"));
  const lost = missing.filter((key) => indispensable.test(key));
  if (lost.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `a scratch restore creates nothing outside of its namespaces, and needs objects that the cluster does not have: ${listed(lost)}; create them first`,
      { id: "DRS-R023" },
    );
  if (missing.length > 0) info(`not in the cluster, and not created by a scratch restore: ${listed(missing)}`);
}

/** A claim is given any volume that is free and fits, before one is provisioned. */
async function noVolumeIsTaken(source: RestoreSource, cluster: Cluster, signal: AbortSignal): Promise<void> {
  const classes = new Set<string>();
  for await (const { object } of objectsOf(source, partsOf(source, [persistentVolumeClaims.resource]), signal))
    if (classOf(object) !== "") classes.add(classOf(object));
  if (classes.size === 0) return;
  const free: string[] = [];
  for await (const volume of cluster.list(persistentVolumes, "", signal)) {
    const { claimRef } = volume["spec"] as { claimRef?: object };
    const { phase } = (volume["status"] ?? {}) as { phase?: string };
    if (claimRef === undefined && phase === "Available" && classes.has(classOf(volume)))
      free.push(volume.metadata.name);
  }
  if (free.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `a scratch restore uses no existing volumes, but its claims might be bound to ${listed(free)}: reserve these with a claimRef, or delete them`,
      { id: "DRS-R024" },
    );
}
