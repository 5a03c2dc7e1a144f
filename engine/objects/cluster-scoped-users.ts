import { kinds, rulesOf } from "../kinds/kinds.ts";
import type { Asking, Kind } from "../kinds/saving-rules.ts";
import { DrsError } from "../errors.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { groupOf, type KubernetesObject, resourceName } from "../kubernetes/kubernetes-object.ts";
import { isOfRelease } from "./belongings.ts";
import { referencesOf } from "./references.ts";

const roleBindings: Kind = { apiVersion: "rbac.authorization.k8s.io/v1", resource: "rolebindings" };

/** Marks a class as the one for objects that name none, which cannot be found. */
const defaultAnnotations = [
  "storageclass.kubernetes.io/is-default-class",
  "snapshot.storage.kubernetes.io/is-default-class",
  "ingressclass.kubernetes.io/is-default-class",
];

/** The kinds that are looked through, in all namespaces where the service may, for users of a cluster-scoped object. */
export const kindsOfUsers: readonly Kind[] = [...new Set([roleBindings, ...kinds.flatMap(({ users = [] }) => users)])];

/**
 * Whether nobody outside some namespaces depends on a cluster-scoped object, so that it may be changed for their sake. What
 * the service has no right to look at, and kinds it knows nothing about, count as used by others, but for what a Helm release in
 * the namespaces has installed.
 */
export async function isUsedOnlyBy(
  namespaces: ReadonlySet<string>,
  cluster: Cluster,
  type: Kind,
  object: KubernetesObject,
  signal: AbortSignal,
): Promise<boolean> {
  const { isUsedOnlyBy: rule, users = [] } = rulesOf(type);
  const isReleased = isOfRelease(namespaces, object);
  const areOurs: Asking["areOurs"] = async (kinds, uses) => {
    for (const kind of kinds)
      for await (const user of cluster.list(kind, "", signal))
        if (!namespaces.has(user.metadata.namespace ?? "") && uses(user)) return false;
    return true;
  };
  try {
    if (rule) return await rule(object, { namespaces, isReleased, areOurs });
    if (users.length === 0) return isReleased;
    if (isForAnybody(object)) return false;
    const resource = resourceName(type);
    for (const kind of users.map((user) => inVersionOf(type, user))) {
      const names = (user: KubernetesObject) =>
        referencesOf(kind, user).some((it) => it.resource === resource && it.name === object.metadata.name);
      if (!(await areOurs([kind], names))) return false;
    }
    return true;
  } catch (error) {
    if (error instanceof DrsError && error.code !== "UNAVAILABLE") return false;
    throw error;
  }
}

/** Whether it is for those, too, who do not name it. */
function isForAnybody({ metadata: { annotations = {} }, ...object }: KubernetesObject): boolean {
  const { extendedResourceName } = (object["spec"] ?? {}) as { extendedResourceName?: string };
  return (
    object["globalDefault"] === true ||
    extendedResourceName !== undefined ||
    defaultAnnotations.some((name) => annotations[name] === "true")
  );
}

/** A kind of the same group is asked for in the version that is known to be served. */
function inVersionOf(type: Kind, kind: Kind): Kind {
  return groupOf(type.apiVersion) === groupOf(kind.apiVersion) ? { ...kind, apiVersion: type.apiVersion } : kind;
}
