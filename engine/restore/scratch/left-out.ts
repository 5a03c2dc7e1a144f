import { userSnapshots } from "../restore-order.ts";

/** Kinds through which calls come in from outside: a copy would take them from the one it is a copy of. */
const entrances = ["ingresses.networking.k8s.io", "routes.route.openshift.io"];
const gateways = ".gateway.networking.k8s.io";

/**
 * Whether a scratch restore makes no objects of a kind, by its resource name: volumes are production's, and so are the
 * snapshots of users and the ways in from outside.
 */
export function isLeftOut(kind: string): boolean {
  return ["persistentvolumes", ...userSnapshots, ...entrances].includes(kind) || kind.endsWith(gateways);
}
