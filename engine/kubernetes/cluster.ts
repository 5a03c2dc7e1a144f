import type { User } from "../model.ts";
import { ClusterWrites, unguarded, type WriteGuard } from "./cluster-writes.ts";
import { type ResourceRight, review, isAuthorized, authenticateToken } from "./connection/auth.ts";
import { type ClusterAddress, Connection } from "./connection/connection.ts";
import { type PodCommand, execInPod } from "./connection/pod-exec.ts";
import { hasStatus } from "./kubernetes-error.ts";

export type { ResourceRight };

/**
 * A Kubernetes cluster, in JSON that is never passed through models: its objects, its opinion of who somebody is and what he
 * may, and commands in its pods. Errors as `Connection` says.
 */
export class Cluster extends ClusterWrites {
  /**
   * Reads the configuration; asks the cluster nothing yet. `inFlight`: how many requests are under way at once, lists and
   * watches not counted.
   */
  static async open(address: ClusterAddress, inFlight: number, guard: WriteGuard = unguarded): Promise<Cluster> {
    return new Cluster(await Connection.open(address, inFlight), guard, false);
  }

  /**
   * The same cluster for dry runs: the API server checks every write in full, and keeps nothing of it. Of the object that it would have
   * created it returns the metadata.
   * https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
   */
  get dryRun(): ClusterWrites {
    return ClusterWrites.dryRunOn(this.connection);
  }

  /** Which cluster it is, as the configuration has it. */
  get address(): { readonly server: string; readonly context: string | undefined } {
    const { server, context } = this.connection;
    return { server, context };
  }

  /** Whether the service's own account may. */
  async isAllowed(question: ResourceRight, signal: AbortSignal): Promise<boolean> {
    return isAuthorized(this.connection, question, undefined, signal);
  }

  /** Whether a user of the cluster may; see `isAuthorized`. */
  async isAllowedTo(user: User, question: ResourceRight, signal: AbortSignal): Promise<boolean> {
    return isAuthorized(this.connection, question, user, signal);
  }

  /** Whose token it is; see `authenticateToken`. */
  async authenticateToken(token: string, audiences: readonly string[], signal: AbortSignal): Promise<User | undefined> {
    return authenticateToken(this.connection, token, audiences, signal);
  }

  /**
   * The namespace of the service account that the service uses; undefined when it is another kind of user, or the cluster
   * does not say. https://kubernetes.io/docs/reference/access-authn-authz/authentication/#self-subject-review
   */
  async ownNamespace(signal: AbortSignal): Promise<string | undefined> {
    try {
      const { status } = await review(this.connection, "authentication", "SelfSubjectReview", undefined, signal);
      const { username } = (status?.["userInfo"] ?? {}) as Partial<User>;
      return /^system:serviceaccount:([^:]+):/.exec(username ?? "")?.[1];
    } catch (error) {
      if (hasStatus(error, 403, 404)) return undefined;
      throw error;
    }
  }

  /** Runs a command in a pod's container, which may change anything in it; see `execInPod`. */
  async exec(command: PodCommand, signal: AbortSignal): Promise<string> {
    this.guard.mayGo();
    return execInPod(this.connection.kubeConfig, command, signal);
  }

  async close(): Promise<void> {
    await this.connection.close();
  }
}
