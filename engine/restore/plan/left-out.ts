import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { classOf } from "../../kinds/core/claim-class.ts";
import { rulesFor } from "../../kinds/kinds.ts";
import { isOfGatewayApi } from "../../kinds/network/gateway.ts";
import { type ScopedArchive, volumesOf } from "../source/restore-source.ts";

/**
 * Whether a scratch restore makes no objects of a kind, by its resource name: volumes are production's, and so are the
 * snapshots of users and the ways in from outside.
 */
export function isLeftOut(kind: string): boolean {
  return rulesFor(kind).isNotCopied === true || isOfGatewayApi(kind);
}

/**
 * Whether a scratch restore makes no copy of a claim: its data is not in the backup, and its volume, which nothing provisions, is
 * production's.
 */
export function isClaimLeftOut(source: ScopedArchive, claim: KubernetesObject): boolean {
  if (!source.scope.isOfCopies || classOf(claim) !== "") return false;
  const { namespace, name } = claim.metadata;
  return !volumesOf(source).some((volume) => volume.namespace === namespace && volume.claim === name);
}
