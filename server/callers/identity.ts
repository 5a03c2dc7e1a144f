import type { User } from "../../engine/model.ts";

/** An authenticated caller. */
export interface Identity {
  readonly name: string;
  readonly groups: readonly string[];
  readonly provenBy: AuthMethod;
  /** The caller as the cluster knows it, where the cluster itself has authenticated it. */
  readonly clusterUser?: User;
}

/** An authentication method, as messages name it. */
export type AuthMethod = "client certificate" | "CDP signature" | "bearer token";
