import type { User } from "../../engine/model.ts";

/** Who calls, proven. */
export interface Identity {
  readonly name: string;
  readonly groups: readonly string[];
  readonly provenBy: Way;
  /** The caller as the cluster knows it, where the cluster itself has said who calls. */
  readonly clusterUser?: User;
}

/** How a caller proves who it is, as messages name it. */
export type Way = "client certificate" | "CDP signature" | "bearer token";
