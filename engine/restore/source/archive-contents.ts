import type { Part } from "../../archive/format.ts";
import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import { type KubernetesObject, resourceName } from "../../kubernetes/kubernetes-object.ts";
import { RawObject } from "../../kubernetes/raw-object.ts";
import { mayBelong } from "../../objects/belongings.ts";
import { ClusterScopedNeeds, verbsOfNeeds } from "../../objects/cluster-scoped-needs.ts";
import { driverFor } from "../../volumes/saved-data.ts";
import { partsOf, type RestoreSource } from "./restore-source.ts";
import { checkObject, quoted } from "./saved-object.ts";

/**
 * Proves every byte of the archive, and that it holds what a backup of its namespaces can hold and nothing beyond: objects
 * of these namespaces, and the cluster-scoped ones that these need; those that are for others, too, or are there because a
 * label or a setting says so, only in an authentic one. DATA_LOSS names the part, the line and the reason. Each object that has passed is indexed, and given to `onObject`.
 */
export async function verifyContents(
  source: RestoreSource,
  signal: AbortSignal,
  onObject: (part: Part, object: KubernetesObject) => void = () => {},
): Promise<void> {
  await source.index.fill(source.reader.parts, (add) =>
    verify(source, signal, (part, object, bytes) => {
      add(part, new RawObject(bytes));
      onObject(part, object);
    }),
  );
}

async function verify(
  source: RestoreSource,
  signal: AbortSignal,
  onObject: (part: Part, object: KubernetesObject, bytes: Buffer) => void,
): Promise<void> {
  const { reader } = source;
  const namespaces = reader.manifest.includedNamespaces;
  const needs = new ClusterScopedNeeds(namespaces);
  const others = reader.parts.filter((part) => mayBelong(part) && !(resourceName(part) in verbsOfNeeds));
  const clusterScoped = [...others, ...partsOf(source, Object.keys(verbsOfNeeds))];
  await reader.verify(
    signal,
    (part, object, bytes) => {
      if (!part.namespaced) throw new Error(`a backup holds no ${resourceName(part)}`);
      const checked = checkObject(part, object, namespaces);
      needs.note(part, checked);
      onObject(part, checked, bytes);
    },
    reader.parts.filter((part) => !clusterScoped.includes(part)),
  );
  await reader.verify(
    signal,
    (part, object, bytes) => {
      const checked = checkObject(part, object, namespaces);
      const isBelieved = (reader.isAuthentic && mayBelong(part)) || makesVolumes(source, part, checked);
      isNeeded(needs, part, checked, isBelieved);
      if (!reader.isAuthentic) isForNobodyElse(needs, part, checked);
      onObject(part, checked, bytes);
    },
    clusterScoped,
  );
}

/** Whether it is a storage class of a driver that makes a saved volume again: a volume that was made by hand is in none of its own. */
function makesVolumes({ reader }: RestoreSource, part: Part, object: KubernetesObject): boolean {
  if (resourceName(part) !== "storageclasses.storage.k8s.io") return false;
  return reader.manifest.volumes.some((volume) => driverFor(volume) === object["provisioner"]);
}

function isNeeded(needs: ClusterScopedNeeds, part: Part, object: KubernetesObject, isBelieved: boolean): void {
  if (part.namespaced) throw new Error(`${resourceName(part)} are in no namespace`);
  if (needs.isNeeded(part, object) || isBelieved) return;
  const what = `${part.kind} ${object.metadata.name}`;
  if (!mayBelong(part)) throw new Error(`${what} is not needed by any object of the backup`);
  throw new Error(
    `${what} is not needed by any object of the backup. If a Helm release or --further-objects brought it there, ` +
      "that is not trusted in an archive that is neither encrypted nor made by this service: remove it by hand " +
      "(docs/archive-format.md)",
  );
}

/** Whether rights and calls of others are meant is not to be seen in an object, and anybody adds them to a genuine one. */
function isForNobodyElse(needs: ClusterScopedNeeds, part: Part, object: KubernetesObject): void {
  const others = needs.othersIn(part, object);
  if (others.length > 0)
    throw new Error(
      `${part.kind} ${object.metadata.name} is also for ${quoted(others.join(", "))}, which is not trusted in an archive ` +
        `that is neither encrypted nor made by this service: if it is meant, remove it by hand (docs/archive-format.md)`,
    );
}

/** FAILED_PRECONDITION names namespaces that are not the control plane's, as a restore in place empties them. */
export function belongToControlPlane(
  namespaces: readonly string[],
  { namespace, vaultNamespace, furtherNamespaces }: JobDeps["controlPlane"],
): void {
  const own = [namespace, vaultNamespace, ...furtherNamespaces];
  const foreign = namespaces.filter((name) => !own.includes(name));
  if (foreign.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `the backup contains namespaces that are not the control plane's (${own.join(", ")}): ${foreign.join(", ")}; ` +
        "if a restore is to replace them, name them with --namespace, --vault-namespace or --further-namespaces",
      { id: "DRS-R020" },
    );
}
