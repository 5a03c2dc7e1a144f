import { randomUUID } from "node:crypto";
import type { ReviewKind } from "../objects/built-in-resources.ts";
import { isFields } from "../objects/json.ts";

/** What a client asks to be allowed, as an access review's `resourceAttributes`; the user is empty for "myself". */
export interface Access {
  readonly user: string;
  readonly verb?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** Who may do what in the simulated cluster. */
export interface AccessRules {
  /** The user of each known bearer token, for token reviews. */
  readonly tokens: Readonly<Record<string, string>>;
  readonly isAllowed: (access: Access) => boolean;
}

/** Answers a review: the question comes back with its `status`. */
export function review(kind: ReviewKind, request: Record<string, unknown>, rules: AccessRules): object {
  const spec = isFields(request["spec"]) ? request["spec"] : {};
  return { ...request, metadata: request["metadata"] ?? {}, status: answer(kind, spec, rules) };
}

function answer(kind: ReviewKind, spec: Record<string, unknown>, { tokens, isAllowed }: AccessRules): object {
  switch (kind) {
    case "SelfSubjectReview":
      return { userInfo: userInfo("simulator-admin") };
    case "TokenReview": {
      const user = tokens[String(spec["token"])];
      if (user === undefined) return { user: {}, error: "invalid bearer token" };
      return { authenticated: true, user: userInfo(user), audiences: ["https://kubernetes.default.svc"] };
    }
    case "SelfSubjectAccessReview":
    case "SubjectAccessReview": {
      const attributes = spec["resourceAttributes"] ?? spec["nonResourceAttributes"];
      const allowed = isAllowed({
        ...(attributes as object | undefined),
        user: typeof spec["user"] === "string" ? spec["user"] : "",
      });
      return allowed ? { allowed, reason: "allowed by the simulator" } : { allowed };
    }
    default:
      throw new Error(`no review ${String(kind)}`);
  }
}

function userInfo(username: string): object {
  return { username, uid: randomUUID(), groups: ["system:authenticated"] };
}
