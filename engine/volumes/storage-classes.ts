import { storageClasses } from "../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";

/** The cluster's storage classes, in the order of their names. */
export async function existingClasses(cluster: Cluster, signal: AbortSignal): Promise<readonly KubernetesObject[]> {
  const classes: KubernetesObject[] = [];
  for await (const storageClass of cluster.list(storageClasses, "", signal)) classes.push(storageClass);
  return classes;
}

/**
 * The class in which a claim can be recreated: its own, or, as that of a volume created by hand provisions nothing, one
 * of the same driver, where it has to be that one, the default before others. Undefined when there is none.
 */
export function classOfDriver(
  { storageClass, driver }: { readonly storageClass: string; readonly driver: string | undefined },
  classes: readonly KubernetesObject[],
): KubernetesObject | undefined {
  const fitting = classes.filter(({ provisioner }) => driver === undefined || provisioner === driver);
  return fitting.find(({ metadata }) => metadata.name === storageClass) ?? fitting.find(isDefault) ?? fitting[0];
}

function isDefault({ metadata }: KubernetesObject): boolean {
  return metadata.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true";
}
