import type { Auth, ClusterRight } from "../../engine/cluster-auth.ts";
import type { User } from "../../engine/model.ts";
import type { Identity } from "../callers/identity.ts";
import { type Authorize, denied, type Right } from "./right.ts";

const group = "drs.cloudera.com";
const backups = { group, resource: "backups" };
const restores = { group, resource: "restores" };

/**
 * Each right in the words of the cluster's roles. A log may be a backup's, a restore's or a deletion's. A right
 * that is not here is nobody's.
 */
const clusterRights: Readonly<Partial<Record<Right, readonly ClusterRight[]>>> = {
  "drscp/createBackup": [{ verb: "create", ...backups }],
  "drscp/deleteBackup": [{ verb: "delete", ...backups }],
  "drscp/describeBackup": [{ verb: "get", ...backups }],
  "drscp/describeRestore": [{ verb: "get", ...restores }],
  "drscp/getLogs": [
    { verb: "get", ...backups, subresource: "log" },
    { verb: "get", ...restores, subresource: "log" },
  ],
  "drscp/listBackupEntities": [{ verb: "list", ...backups, subresource: "entities" }],
  "drscp/listBackups": [{ verb: "list", ...backups }],
  "drscp/listRestores": [{ verb: "list", ...restores }],
  "drscp/restoreBackup": [{ verb: "create", ...restores }],
};

/**
 * Lets a caller do what the cluster's cluster roles allow it. The resources need not be served: roles may name any.
 * https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
 */
export function clusterRightsOf(auth: () => Auth): Authorize {
  return async (caller, right, signal) => {
    const user = clusterUser(caller);
    const all = clusterRights[right];
    if (!all) throw denied(caller, right, ", which no role of the cluster can grant");
    for (const needed of all) {
      if (await auth().isAllowed(user, needed, signal)) continue;
      const resource = `${needed.resource}.${group}${needed.subresource === undefined ? "" : `/${needed.subresource}`}`;
      throw denied(caller, right, `, in the cluster: ${needed.verb} ${resource}`);
    }
  };
}

/**
 * The caller for the cluster's authorizer. Names with the prefix `system:` belong to the cluster: only its own word makes
 * anybody that, and no certificate, key or token issuer makes an administrator out of a group `system:masters`.
 */
function clusterUser(caller: Identity): User {
  if (caller.clusterUser) return caller.clusterUser;
  const { name, groups } = caller;
  const ownGroups = groups.filter((group) => !group.startsWith("system:"));
  return name.startsWith("system:")
    ? { username: "system:anonymous", groups: ["system:unauthenticated"] }
    : { username: name, groups: [...ownGroups, "system:authenticated"] };
}
