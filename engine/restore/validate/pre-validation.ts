import type { Part } from "../../archive/format.ts";
import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import { type OwnerReference, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { checkRights } from "../../kubernetes/rights.ts";
import type { RestorePlan } from "../../model.ts";
import { restoreRights } from "../../objects/rights-needed.ts";
import { belongToControlPlane, verifyContents } from "../source/archive-contents.ts";
import { dryRun } from "./dry-run.ts";
import { chooseData } from "../fill/choosing-data.ts";
import { fillFirst } from "../fill/fill-first.ts";
import { fillSiteOf, planFilling } from "../fill/fill-plan.ts";
import { proveData, reportFilledLater } from "../fill/proving-data.ts";
import { claimsCanBeFilled } from "./fillable-claims.ts";
import { reportLostRevisions } from "./lost-revisions.ts";
import { notTerminating } from "../objects/namespaces.ts";
import { type Loss, lossOf, reportNotAsSaved } from "./not-as-saved.ts";
import { OwnerLinks } from "../objects/owner-links.ts";
import { onlySelectedUse } from "../plan/claim-users.ts";
import { isWhole, resolveScope } from "../plan/resolving-scope.ts";
import { SelectedObjects } from "../plan/selected-objects.ts";
import { stopsNoServer } from "../plan/served-calls.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import { saveForSafety } from "../source/safety-archive.ts";
import { type Definitions, savedDefinitions } from "./saved-definitions.ts";
import { partsInScope } from "../source/saved-names.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import { servedType } from "../../kinds/served-types.ts";
import { reportUnreadySnapshots } from "./unready-snapshots.ts";

/**
 * Proves that the restore can be made before anything is touched: every byte of the archive and that it holds nothing but
 * what a backup holds, every snapshot in the storage, every kind, class and right it will need, and what the API server says to each object. Saves what is
 * about to be replaced, too, from the list of live objects that the archive is compared with. Whatever fails here fails the job.
 */
export async function preValidation(
  archive: RestoreSource,
  deps: JobDeps,
  context: JobContext,
  plan: RestorePlan,
): Promise<void> {
  const { cluster, limits } = deps;
  const { signal } = context;
  const { reader, targetNamespaces: namespaces } = archive;
  context.setIncludedNamespaces(namespaces);
  const owners = new Map<string, OwnerReference>();
  const losses: Loss[] = [];
  const selected = new SelectedObjects(plan, reader);
  belongToControlPlane(namespaces, deps.controlPlane);
  await verifyContents(archive, signal, (type, object) => {
    if (!isWhole(plan)) selected.see(type, object);
    for (const owner of object.metadata.ownerReferences ?? []) owners.set(owner.uid, owner);
    const loss = lossOf(type, object);
    const { namespace = "", name, uid = "" } = object.metadata;
    if (loss !== undefined) losses.push({ type, metadata: { namespace, name, uid }, loss });
  });
  const objects = reader.parts.reduce((sum, part) => sum + part.objects, 0);
  context.info(`the archive is whole: ${objects} objects, ${reader.manifest.volumes.length} volumes`);
  await isElsewhere(archive, deps, signal);
  for (const namespace of namespaces) await notTerminating(deps, context, namespaces, namespace);
  const discovery = await cluster.discover(signal);
  const { statusOf } = deps.restore;
  const rights = restoreRights({ ...discovery, saved: reader.parts, namespaces, statusOf });
  await checkRights(cluster, "a restore", rights, limits.clusterConcurrency, signal);
  if (await context.claimControlPlane()) return preValidation(archive, deps, context, plan);
  const inScope = isWhole(plan) ? archive : await scoped(archive, plan, selected, { cluster, discovery }, context);
  const source = await chooseData(inScope, deps, context);
  const definitions = await savedDefinitions(source, cluster, signal);
  kindsAreServed(await partsInScope(source, signal), discovery, definitions, context);
  await claimsCanBeFilled(source, deps, context);
  const filling = await planFilling(source, await fillSiteOf(source, deps, signal), deps, context);
  await proveData(filling, deps, context);
  await reportUnreadySnapshots(source, deps, context);
  await reportLostRevisions(source, context);
  new OwnerLinks(context, source.notesPrefix).expect({ metadata: { ownerReferences: [...owners.values()] } });
  for (const loss of losses)
    if (source.scope.has(loss.type, loss.metadata)) await reportNotAsSaved(cluster, context, loss);
  const look = async () => {
    await saveForSafety(source, discovery, deps, context);
    await dryRun(source, discovery, definitions, deps, context);
    return Date.now();
  };
  const looked = await look();
  await reportFilledLater(await fillFirst(filling, deps, context), filling, deps, context);
  if (Date.now() - looked > Math.min(freshMs, limits.snapshotTimeout)) await look();
}

/** When filling volumes took longer than this, the live objects are saved and tried again. */
const freshMs = 60_000;

/** The archive as far as the plan takes it, which is noted. */
async function scoped(
  archive: RestoreSource,
  plan: RestorePlan,
  selected: SelectedObjects,
  { cluster, discovery }: { readonly cluster: Cluster; readonly discovery: Discovery },
  context: JobContext,
): Promise<RestoreSource> {
  const scope = await resolveScope(archive, plan, selected.selected(), { cluster, discovery }, context);
  const source = { ...archive, scope };
  await onlySelectedUse(source, cluster, context.signal);
  await stopsNoServer(source, cluster, context.signal);
  return source;
}

/** A service that is part of what it restores would stop itself halfway. */
async function isElsewhere(
  { targetNamespaces: namespaces }: RestoreSource,
  { cluster }: JobDeps,
  signal: AbortSignal,
): Promise<void> {
  const own = await cluster.ownNamespace(signal);
  if (own !== undefined && namespaces.includes(own))
    throw new DrsError(
      "FAILED_PRECONDITION",
      `this service runs in namespace ${own}, which the restore would empty: install it in a namespace of its own`,
      { id: "DRS-R010" },
    );
}

/**
 * A kind that the cluster does not serve is one whose definition comes with the archive, or the objects are lost. Objects
 * of a version that is no longer served can be taken for those of another one, unless it takes a webhook to convert them.
 */
export function kindsAreServed(
  parts: readonly Part[],
  discovery: Discovery,
  { coming, convertedByWebhook }: Definitions,
  context: JobContext,
): void {
  const missing: string[] = [];
  for (const part of parts) {
    const name = resourceName(part);
    const served = servedType(discovery, part);
    if (coming.has(name) || served?.apiVersion === part.apiVersion) continue;
    if (served === undefined && rulesOf(part).isForSnapshots) {
      context.info(`${name} are not restored: the cluster knows no snapshots`);
      continue;
    }
    if (served === undefined)
      missing.push(
        `${name} (${part.apiVersion}${discovery.unavailable.includes(part.apiVersion) ? ", whose server does not answer" : ""})`,
      );
    else if (convertedByWebhook.has(name))
      missing.push(`${name} (${part.apiVersion}, which only a webhook could convert to ${served.apiVersion})`);
    else
      context.warn(
        "DRS-R083",
        "",
        `${name} are restored as ${served.apiVersion}: ${part.apiVersion} is no longer served`,
      );
  }
  if (missing.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `the cluster does not serve kinds that are in the backup: ${missing.join(", ")}; install what defines them`,
      { id: "DRS-R011" },
    );
}
