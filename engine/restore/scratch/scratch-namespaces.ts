import { DrsError } from "../../errors.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { JobContext } from "../../jobs/phase.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { namespaces as namespaceType } from "../../objects/entities.ts";
import { createUnderLaxerLevel } from "../objects/pod-security.ts";
import { objectsOf, partsOf, type RestoreSource } from "../source/restore-source.ts";
import { sanitize } from "../../kinds/sanitize.ts";

/** On the namespaces of a scratch restore: its uuid. A namespace without this label is not its own, and is not removed with it. */
export const scratchLabel = "drs.cloudera.com/scratch";

/** FAILED_PRECONDITION names those of the namespaces that are there, and are not of the scratch restore with this uuid. */
export async function areFree(
  cluster: Cluster,
  names: readonly string[],
  uuid: string,
  signal: AbortSignal,
): Promise<void> {
  const taken: string[] = [];
  for (const name of names) {
    const existing = await cluster.get(namespaceType, "", name, signal);
    if (existing && !isOf(uuid, existing)) taken.push(name);
  }
  if (taken.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `a scratch restore creates its own namespaces, and there is ${taken.join(", ")} already: choose other names, or remove it`,
      { id: "DRS-R021" },
    );
}

/** Whether a namespace was made by the scratch restore with this uuid. */
export function isOf(uuid: string, { metadata }: KubernetesObject): boolean {
  return metadata.labels?.[scratchLabel] === uuid;
}

/** Makes the namespaces as they were saved but for their Pod Security level, under their other names, and marks them. Errors as for `areFree`. May run again. */
export async function makeNamespaces(
  source: RestoreSource,
  { cluster }: Pick<JobDeps, "cluster">,
  context: JobContext,
): Promise<void> {
  const { job, signal, info } = context;
  await areFree(cluster, source.targetNamespaces, job.uuid, signal);
  for await (const { type, object } of objectsOf(source, partsOf(source, ["namespaces"]), signal)) {
    await createUnderLaxerLevel(context, object, async (relaxed) => {
      const wanted = sanitize(type, relaxed);
      const labels = { ...wanted.metadata.labels, [scratchLabel]: job.uuid };
      await cluster.createOnce(type, "", { ...wanted, metadata: { ...wanted.metadata, labels } }, signal);
    });
    info(`created namespace ${object.metadata.name}`);
  }
  await areFree(cluster, source.targetNamespaces, job.uuid, signal); // one that somebody else was faster to make
}
