import type { User } from "../../engine/model.ts";

/** Who calls, proven. */
export interface Identity {
  readonly name: string;
  readonly groups: readonly string[];
  readonly provenBy: AuthMethod;
  /** The caller as the cluster knows it, where the cluster itself has said who calls. */
  readonly clusterUser?: User;
}

/** How a caller proves who it is, as messages name it. */
export type AuthMethod = "client certificate" | "CDP signature" | "bearer token";
