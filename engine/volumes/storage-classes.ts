import type { SavedVolume } from "../archive/format.ts";
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
 * The class in which a claim can be made from its snapshot: its own, or, as that of a volume which was made by hand provisions
 * nothing, one of the same driver, the default before others. Undefined when there is none.
 */
export function classFor(
  { storageClass, driver }: Pick<SavedVolume, "storageClass" | "driver">,
  classes: readonly KubernetesObject[],
): KubernetesObject | undefined {
  const ofDriver = classes.filter(({ provisioner }) => provisioner === driver);
  return ofDriver.find(({ metadata }) => metadata.name === storageClass) ?? ofDriver.find(isDefault) ?? ofDriver[0];
}

function isDefault({ metadata }: KubernetesObject): boolean {
  return metadata.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true";
}
