import type { User } from "../../model.ts";
import type { Connection } from "./connection.ts";

/** The attributes of a right: https://kubernetes.io/docs/reference/access-authn-authz/authorization/ */
export interface ResourceRight {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Absent: any object. */
  readonly name?: string;
  /** Empty: all namespaces, or cluster-scoped. */
  readonly namespace: string;
}

/**
 * Whose token it is; undefined when it is nobody's, or not meant for one of the audiences.
 *
 * An API server that knows nothing of audiences, or that says yes to its own only, names none of them: its yes is no.
 * https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
 */
export async function authenticateToken(
  connection: Connection,
  token: string,
  audiences: readonly string[],
  signal: AbortSignal,
): Promise<User | undefined> {
  const { status } = await review(connection, "authentication", "TokenReview", { token, audiences }, signal);
  const {
    authenticated,
    audiences: granted,
    user,
  } = (status ?? {}) as {
    authenticated?: boolean;
    audiences?: readonly string[] | null;
    user?: Partial<User>;
  };
  const isForUs = audiences.some((audience) => granted?.includes(audience));
  if (authenticated !== true || !isForUs || !user?.username) return undefined;
  return { ...user, username: user.username, groups: user.groups ?? [] };
}

/** Whether a user may; without one, whether the service's own account may. */
export async function isAuthorized(
  connection: Connection,
  question: ResourceRight,
  user: User | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const kind = user ? "SubjectAccessReview" : "SelfSubjectAccessReview";
  const { username, ...rest } = user ?? {};
  const spec = { resourceAttributes: question, ...(username !== undefined && { user: username, ...rest }) };
  const { status } = await review(connection, "authorization", kind, spec, signal);
  return status?.["allowed"] === true;
}

/** Asks the API server's opinion. Errors as `Connection` says. */
export async function review(
  connection: Connection,
  group: "authentication" | "authorization",
  kind: string,
  spec: object | undefined,
  signal: AbortSignal,
): Promise<{ status?: Record<string, unknown> }> {
  const apiVersion = `${group}.k8s.io/v1`;
  const path = `/apis/${apiVersion}/${kind.toLowerCase()}s`;
  const answer = await connection.request({
    method: "POST",
    path,
    body: JSON.stringify({ apiVersion, kind, spec }),
    signal,
  });
  return JSON.parse(answer.toString()) as { status?: Record<string, unknown> };
}
