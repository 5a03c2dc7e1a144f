import { DrsError } from "../../errors.ts";
import { persistentVolumeClaims, pods } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { hasEnded } from "../../kinds/core/pod.ts";
import { listed } from "../../objects/listed.ts";
import { type RestoreSource, volumesOf } from "../source/restore-source.ts";
import { isStopped } from "./stopped-objects.ts";
import { workloadOf } from "../../kinds/apps/pod-workload.ts";

/**
 * A claim that gets other data is stopped for: FAILED_PRECONDITION names the pods that use a selected one and would run on, as
 * they are of nothing that was selected.
 */
export async function onlySelectedUse(source: RestoreSource, cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { scope } = source;
  const replaced = new Set<string>();
  for (const { namespace, claim } of volumesOf(source))
    if (scope.liveReachOf(persistentVolumeClaims, { namespace, name: claim }) === "as saved")
      replaced.add(`${namespace}/${claim}`);
  const users: string[] = [];
  for (const namespace of new Set([...replaced].map((claim) => claim.split("/")[0] ?? "")))
    for await (const pod of cluster.list(pods, namespace, signal)) {
      const { volumes = [] } = pod["spec"] as { volumes?: { persistentVolumeClaim?: { claimName: string } }[] };
      const claims = volumes.flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);
      const used = claims.filter((claim) => replaced.has(`${namespace}/${claim}`));
      if (used.length === 0 || hasEnded(pod) || isStopped(scope, pods, pod)) continue;
      const workload = workloadOf(pod);
      const who = workload ? `${workload.type.kind} ${workload.name}` : `Pod ${pod.metadata.name}`;
      users.push(`${who} of ${namespace} uses claim ${used.join(", ")}`);
    }
  if (users.length > 0)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `selected claims are in use by pods that are not selected: ${listed([...new Set(users)])}; select these, too, or stop them first`,
      { id: "DRS-R034" },
    );
}
