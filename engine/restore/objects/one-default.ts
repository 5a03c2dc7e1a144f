import type { JobContext } from "../../jobs/phase.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { type RestoreSource, warnOtherwise } from "../source/restore-source.ts";

interface Where {
  readonly cluster: Cluster;
  readonly context: Pick<JobContext, "warn" | "notes" | "signal">;
  readonly source: RestoreSource;
  readonly type: ResourceType;
}

/**
 * A wanted object, without the mark that makes it the cluster's default of its kind where another one is by now: claims of others,
 * that name no class, would go to this one. A warning says so. A rollback takes and gives no marks.
 */
export async function asOneDefault(
  { cluster, context, source, type }: Where,
  wanted: KubernetesObject,
  existing: KubernetesObject | undefined,
): Promise<KubernetesObject> {
  const { defaultMarks = [] } = rulesOf(type);
  const isDefault = ({ metadata }: KubernetesObject) =>
    defaultMarks.some((mark) => metadata.annotations?.[mark] === "true");
  if (source.isRollback || !isDefault(wanted) || (existing && isDefault(existing))) return wanted;
  const { name } = wanted.metadata;
  for await (const other of cluster.list(type, "", context.signal)) {
    if (other.metadata.name === name || !isDefault(other)) continue;
    const text = `${type.kind} ${name} is not the default any more: ${other.metadata.name} is, and stays so`;
    warnOtherwise(context, source, "DRS-R094", "", text);
    const annotations = { ...wanted.metadata.annotations };
    for (const mark of defaultMarks) delete annotations[mark];
    return { ...wanted, metadata: { ...wanted.metadata, annotations } };
  }
  return wanted;
}
