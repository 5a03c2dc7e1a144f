import type { TestCluster } from "./cluster.ts";
import { apiPath } from "./kubernetes-client.ts";
import { servicesOwnLabel } from "./picture.ts";
import { volumes } from "./volumes.ts";

const snapshotVersion = "snapshot.storage.k8s.io/v1";

/** What a finished restore should have cleaned up: its snapshot objects, and volumes that belong to no claim any more. */
export async function restoreLeftovers({ kubernetes }: TestCluster, restoreCrn: string): Promise<readonly string[]> {
  const selector = `?labelSelector=${encodeURIComponent(`${servicesOwnLabel}=${uuidOf(restoreCrn)}`)}`;
  const lists = await Promise.all([
    kubernetes.list(apiPath({ apiVersion: snapshotVersion, resource: "volumesnapshots" }) + selector),
    kubernetes.list(apiPath({ apiVersion: snapshotVersion, resource: "volumesnapshotcontents" }) + selector),
    kubernetes.list(apiPath(volumes)).then((all) => all.filter(({ status }) => status.phase !== "Bound")),
  ]);
  return lists.flat().map(({ kind, metadata }) => `${kind} ${metadata.name}`);
}

function uuidOf(crn: string): string {
  return crn.slice(crn.lastIndexOf(":") + 1);
}
