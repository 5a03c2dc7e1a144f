import { createHash } from "node:crypto";
import { DrsError } from "./errors.ts";
import type { Cluster } from "./kubernetes/cluster.ts";
import { KubernetesError } from "./kubernetes/kubernetes-error.ts";
import type { User } from "./model.ts";
import { AnswerCache } from "./auth/answer-cache.ts";

/** A right on a cluster-scoped resource. */
export interface ClusterRight {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
}

/**
 * The owner of a token and the rights of a user, asked of the cluster; answers count for some seconds. UNAVAILABLE when
 * the cluster does not answer, or too many wait for it, INTERNAL when it does not let the service ask.
 *
 * A `signal` is aborted when nobody waits for the answer any more.
 */
export interface Auth {
  /** The owner of the token; undefined when it has none, or is not meant for one of the audiences. */
  authenticateToken(token: string, audiences: readonly string[], signal?: AbortSignal): Promise<User | undefined>;
  isAllowed(user: User, right: ClusterRight, signal?: AbortSignal): Promise<boolean>;
}

/** How long a caller waits for the cluster's answer, in milliseconds. */
const timeout = 10_000;
/** How long a token that was taken back, or has expired, may still be taken. The kubelet's time for this is 2 minutes. */
const tokenLifetime = 30_000;
/** How long a right that was taken away may still be used. */
const rightLifetime = 10_000;
/** Tokens and rights that are remembered: some hundred bytes each. */
const size = 2_000;
/** Callers leave most of the connections to the cluster to the jobs, which must not wait for a flood of guessed tokens. */
const atOnce = 8;
/** Questions that wait for their turn: more than a busy service has, and a second's work for the cluster. */
const waiting = 250;

/** See `Access`. Of a token only its digest is kept. */
export class ClusterAuth implements Auth {
  readonly #cluster: Pick<Cluster, "authenticateToken" | "isAllowedTo">;
  readonly #tokens: AnswerCache<User | undefined>;
  readonly #rights: AnswerCache<boolean>;

  constructor(cluster: Pick<Cluster, "authenticateToken" | "isAllowedTo">, clock: () => Date) {
    this.#cluster = cluster;
    this.#tokens = new AnswerCache({ lifetime: tokenLifetime, timeout, size, atOnce, waiting, clock });
    this.#rights = new AnswerCache({ lifetime: rightLifetime, timeout, size, atOnce, waiting, clock });
  }

  async authenticateToken(
    token: string,
    audiences: readonly string[],
    caller?: AbortSignal,
  ): Promise<User | undefined> {
    const ask = (signal: AbortSignal) =>
      translateErrors("tokenreviews.authentication.k8s.io", () =>
        this.#cluster.authenticateToken(token, audiences, signal),
      );
    return this.#tokens.get(digest([token, audiences]), ask, caller);
  }

  async isAllowed(user: User, right: ClusterRight, caller?: AbortSignal): Promise<boolean> {
    const ask = (signal: AbortSignal) =>
      translateErrors("subjectaccessreviews.authorization.k8s.io", () =>
        this.#cluster.isAllowedTo(user, { ...right, namespace: "" }, signal),
      );
    return this.#rights.get(digest([user, right]), ask, caller);
  }
}

async function translateErrors<T>(reviews: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof KubernetesError && cause.code !== "UNAVAILABLE")
      throw new DrsError(
        "INTERNAL",
        `the service's account may not ask the cluster about callers: let it create ${reviews}`,
        {
          id: "DRS-C011",
          cause,
        },
      );
    throw new DrsError("UNAVAILABLE", "the cluster cannot be asked about the caller: try again later", {
      id: "DRS-C007",
      cause,
    });
  }
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64url");
}
