import type { FurtherObjects } from "../config.ts";
import { DrsError } from "../errors.ts";
import type { JobContext, Phase } from "../jobs/phase.ts";
import type { ResourceRight } from "../kubernetes/cluster.ts";
import type { Discovery } from "../kubernetes/discovery.ts";
import { resourceName } from "../kubernetes/kubernetes-object.ts";
import { checkRights } from "../kubernetes/rights.ts";
import { mayBelong } from "../objects/belongings.ts";
import { existingNamespaces, isTerminating, namespaces as namespaceType } from "../objects/entities.ts";
import { backupRights, hookRights } from "../objects/rights-needed.ts";
import { surveyClaims } from "../volumes/claims.ts";
import { reportOwn, reportUnavailable } from "./aggregated-apis.ts";
import { validated } from "./backup-checkpoints.ts";
import type { BackupDeps } from "./backup-deps.ts";
import { hasHooks } from "./hooks.ts";

/**
 * Makes sure that the backup can be made: the API server answers, the namespaces are there and stay, the service's rights
 * suffice, archives can be written. Reports each claim whose data no snapshot can hold.
 */
export function preValidation(deps: BackupDeps): Phase {
  const { cluster, storage, limits } = deps;
  return {
    name: "PRE_VALIDATION",
    async run(context) {
      const { signal } = context;
      const version = await cluster.version(signal);
      const included = await includedNamespaces(deps, context);
      context.setIncludedNamespaces(included);
      context.info(`cluster is Kubernetes ${version}; namespaces: ${included.join(", ")}`);
      const discovery = await cluster.discover(signal);
      reportUnavailable(discovery, included, context);
      reportOwn(discovery, included, context);
      const mayDo = (rights: readonly ResourceRight[]) =>
        checkRights(cluster, "a backup", rights, limits.clusterConcurrency, signal);
      const { furtherObjects: further } = deps.parameters;
      furtherMayBeSaved(further, discovery);
      await mayDo(backupRights(discovery, included, further));
      if (await hasHooks(cluster, included, signal)) await mayDo(hookRights(included));
      if (await context.claimControlPlane()) return this.run(context);
      const survey = await surveyClaims(cluster, included, signal);
      for (const { namespace, claim, reason, hasVolume } of survey.unsavable)
        if (deps.copies?.config.readsLive === true && hasVolume)
          context.warn(
            "DRS-V012",
            namespace,
            `the data of claim ${claim} is in no snapshot, but copied after the backup while applications can write, and so not of one moment: ${reason}`,
          );
        else context.warn("DRS-B009", namespace, `the data of claim ${claim} is not in this backup: ${reason}`);
      for (const { namespace, claim } of survey.beingDeleted)
        context.warn(
          "DRS-B010",
          namespace,
          `claim ${claim} is being deleted, and will be gone with its data when no pod uses it: a restore recreates it`,
        );
      for (const { namespace, claim, volume } of survey.volumesBeingDeleted)
        context.warn(
          "DRS-B011",
          namespace,
          `volume ${volume} of claim ${claim} is being deleted, and will be gone with the claim`,
        );
      for (const { namespace, claim, driver } of survey.classless)
        context.warn(
          "DRS-B013",
          namespace,
          `no storage class of the cluster provisions volumes of driver ${driver}: a restore needs one for claim ${claim}, create one`,
        );
      for (const { namespace, claim } of survey.empty)
        context.info(`claim ${namespace}/${claim} has no volume yet, and so no data to save`);
      await storage.check(signal);
      context.info(`${survey.snapshotable.length} volumes to snapshot; archive goes to ${storage.description}`);
      validated.write(context, {
        kubernetesVersion: version,
        namespaces: included,
        claims: survey.snapshotable,
        classes: survey.classes,
      });
    },
  };
}

async function includedNamespaces(
  { cluster, parameters: { namespaces } }: BackupDeps,
  { signal }: JobContext,
): Promise<readonly string[]> {
  const included = await existingNamespaces(cluster, namespaces, signal);
  const [wanted] = namespaces;
  if (!included.includes(wanted))
    throw new DrsError("FAILED_PRECONDITION", `namespace ${wanted} does not exist in the cluster: nothing to back up`, {
      id: "DRS-B001",
    });
  for (const name of included) {
    const namespace = await cluster.get(namespaceType, "", name, signal);
    if (!namespace || isTerminating(namespace))
      throw new DrsError("FAILED_PRECONDITION", `namespace ${name} is being deleted: it cannot be backed up`, {
        id: "DRS-B002",
      });
  }
  return included;
}

/** Objects in namespaces are saved with these; and what describes one cluster means nothing in another. */
function furtherMayBeSaved(further: readonly FurtherObjects[], { resources }: Discovery): void {
  for (const { resource } of further) {
    const type = resources.find((kind) => resourceName(kind) === resource);
    if (!type || mayBelong(type)) continue;
    throw new DrsError(
      "FAILED_PRECONDITION",
      type.namespaced
        ? `--further-objects names ${resource}, which are namespaced: use --further-namespaces instead`
        : `--further-objects names ${resource}, which belong to this cluster only: remove them from it`,
      { id: "DRS-J013" },
    );
  }
}
