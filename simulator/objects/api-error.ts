import type { Resource } from "./resource.ts";

export interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

interface Details {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Cause[];
  readonly retryAfterSeconds?: number;
}

/** A refusal with the `Status` object the API server would answer. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: number;
  readonly reason: string;
  readonly details: Details | undefined;
  /** Of an expired list: the token with which it may go on at the present state. */
  readonly continueToken: string | undefined;

  constructor(code: number, reason: string, message: string, details?: Details, continueToken?: string) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
    this.continueToken = continueToken;
  }

  toStatus(): object {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: this.continueToken === undefined ? {} : { continue: this.continueToken },
      status: "Failure",
      message: this.message,
      ...(this.reason === "" ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

type Named = Pick<Resource, "group" | "plural">;

function groupAware({ group, plural }: Named): string {
  return group === "" ? plural : `${plural}.${group}`;
}

function details({ group, plural }: Named, name: string): Details {
  return { name, ...(group === "" ? {} : { group }), kind: plural };
}

export function notFound(resource: Named, name: string): ApiError {
  return new ApiError(404, "NotFound", `${groupAware(resource)} "${name}" not found`, details(resource, name));
}

export function alreadyExists(resource: Named, name: string): ApiError {
  const message = `${groupAware(resource)} "${name}" already exists`;
  return new ApiError(409, "AlreadyExists", message, details(resource, name));
}

export function conflict(resource: Named, name: string, why: string): ApiError {
  const message = `Operation cannot be fulfilled on ${groupAware(resource)} "${name}": ${why}`;
  return new ApiError(409, "Conflict", message, details(resource, name));
}

export const modified = "the object has been modified; please apply your changes to the latest version and try again";

export function forbidden(resource: Named, name: string, why: string, causes?: readonly Cause[]): ApiError {
  const message = `${groupAware(resource)} "${name}" is forbidden: ${why}`;
  return new ApiError(403, "Forbidden", message, { ...details(resource, name), ...(causes ? { causes } : {}) });
}

/** The object breaks a rule of its kind: one field and what is wrong with it, as the API server words it. */
export function invalid(
  resource: Pick<Resource, "group" | "kind">,
  name: string,
  field: string,
  what: string,
): ApiError {
  const kind = resource.group === "" ? resource.kind : `${resource.kind}.${resource.group}`;
  const reason = `FieldValue${what
    .slice(0, what.indexOf(":"))
    .replace(/^Invalid value$/, "Invalid")
    .replace(/^Required value$/, "Required")}`;
  return new ApiError(422, "Invalid", `${kind} "${name}" is invalid: ${field}: ${what}`, {
    name,
    ...(resource.group === "" ? {} : { group: resource.group }),
    kind: resource.kind,
    causes: [{ reason, message: what, field }],
  });
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, "BadRequest", message);
}

/** What the API server refuses without a reason of its own: it is answered with 500. */
export function unexpected(message: string): ApiError {
  return new ApiError(500, "", message);
}

export function methodNotAllowed(): ApiError {
  const message = "the server does not allow this method on the requested resource";
  return new ApiError(405, "MethodNotAllowed", message, {});
}

export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`;
  return new ApiError(415, "UnsupportedMediaType", message);
}

export function expired(message: string, continueToken?: string): ApiError {
  return new ApiError(410, "Expired", message, undefined, continueToken);
}
