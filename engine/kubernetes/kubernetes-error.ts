import { DrsError, type ErrorCode } from "../errors.ts";

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ */
interface Status {
  message?: string;
  reason?: string;
  details?: { causes?: { reason?: string; field?: string; message?: string }[]; retryAfterSeconds?: number };
  metadata?: { continue?: string };
}

/** A refusal by the API server. `status` is HTTP's, `reason` Kubernetes' own word. */
export class KubernetesError extends DrsError {
  override readonly name = "KubernetesError";
  readonly status: number;
  readonly reason: string;
  /** The API server's own words: `message` without the request. */
  readonly detail: string;
  /** The fields that validation complains of. */
  readonly fields: readonly string[];
  /** With 410: where an expired list may go on. */
  readonly continueToken: string | undefined;

  constructor(request: string, status: number, body: string) {
    const answer = parseStatus(body);
    const detail = describe(request, answer, body);
    super(codeOf(status, answer), `${request}: the API server answered ${status} ${detail}`, { id: "DRS-J010" });
    this.status = status;
    this.reason = answer.reason ?? "";
    this.detail = detail;
    this.fields = (answer.details?.causes ?? []).flatMap(({ field }) => field ?? []);
    this.continueToken = answer.metadata?.continue;
  }
}

/** Whether an error is the API server's answer with this status. */
export function hasStatus(error: unknown, ...statuses: readonly number[]): error is KubernetesError {
  return error instanceof KubernetesError && statuses.includes(error.status);
}

/** Whether it has met another write: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions */
export function isConflict(error: unknown): boolean {
  return hasStatus(error, 409) && error.reason === "Conflict";
}

/**
 * The refuser of an object, for a reason of its own and under whatever status, as the API server names it:
 * https://github.com/kubernetes/kubernetes/tree/v1.35.4/staging/src/k8s.io/apiserver/pkg/admission/plugin
 */
const denial =
  /admission webhook "[^"]+" denied|(ValidatingAdmissionPolicy|policy) '[^']+' with binding '[^']+' denied|violates PodSecurity "[^"]+"/;

/** Whether an admission webhook, a policy or the namespace's Pod Security does not take an object. */
export function isDenied(error: unknown): error is KubernetesError {
  return error instanceof KubernetesError && denial.test(error.detail);
}

const dryRunUnknown = /admission webhook "[^"]+" does not support dry run/;

/** Whether an object could not be tried, as a webhook that judges it knows no dry runs. */
export function knowsNoDryRun(error: unknown): error is KubernetesError {
  return hasStatus(error, 400) && dryRunUnknown.test(error.detail);
}

const quotaRefusal = /exceeded quota|failed quota|status unknown for quota/;
const limitRefusal = /(minimum|maximum) \S+ usage per \S+ is |max limit to request ratio per \S+ is /;

/** Whether it is a quota of the namespace, or a limit range, that an object exceeds. */
export function exceedsLimits(error: unknown): error is KubernetesError {
  return hasStatus(error, 403) && (quotaRefusal.test(error.detail) || limitRefusal.test(error.detail));
}

/** Whether objects cannot be read as what converts them from the version in which they are stored does not answer. */
export function isUnconverted(error: unknown): error is KubernetesError {
  return hasStatus(error, 500) && conversionFailed.test(error.detail);
}

const conversionFailed = /conversion webhook/;

/** The webhook that an answer speaks of, be it that it denied, or knows no dry runs, or does not answer. */
export function webhookIn({ detail }: KubernetesError): string | undefined {
  return /\bwebhook "([^"]+)"/.exec(detail)?.[1];
}

/** The webhook that did not answer, as named in an error's message. */
export function silentWebhook(message: string): string | undefined {
  return /failed calling webhook "([^"]+)"/.exec(message)?.[1];
}

const allocationRefusal = /already allocated|not in the valid range|does not match the current range/;

/**
 * Whether a service cannot have the address or port that it asks for: one is taken, or of another range than the cluster's.
 * The API server calls it invalid, but an internal error where it is the port of health checks.
 * https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/registry/core/service/storage/alloc.go
 */
export function isAllocationRefusal(error: unknown): error is KubernetesError {
  return hasStatus(error, 422, 500) && allocationRefusal.test(error.detail);
}

/** Whether the service's own account may not do what it asked, whatever the object. */
export function lacksRights(error: unknown): boolean {
  return hasStatus(error, 401) || (hasStatus(error, 403) && concernsRights(error.detail));
}

/** The authorizer's words name the user and the right, and no value. */
function concernsRights(message: string): boolean {
  return /^(\S+( "[^"]*")? is )?forbidden: User "[^"]*" cannot /.test(message);
}

function codeOf(status: number, { reason, message = "" }: Status): ErrorCode {
  switch (status) {
    case 400:
    case 422:
      return "INVALID_ARGUMENT";
    case 401:
      return "PERMISSION_DENIED";
    case 403: // else it is a policy or a quota, which would say the same to everybody
      return concernsRights(message) ? "PERMISSION_DENIED" : "FAILED_PRECONDITION";
    case 404:
      return "NOT_FOUND";
    case 409:
      return reason === "AlreadyExists" ? "ALREADY_EXISTS" : "FAILED_PRECONDITION";
    case 410:
      return "FAILED_PRECONDITION";
    case 500: // the API server is well when a webhook does not answer, or a port is taken; else this is etcd, and passes
      return [/calling webhook/, conversionFailed, allocationRefusal].some((cause) => cause.test(message))
        ? "INTERNAL"
        : "UNAVAILABLE";
    default:
      return status === 429 || status >= 500 ? "UNAVAILABLE" : "INTERNAL";
  }
}

/**
 * Validation messages quote the values they complain about. Of a Secret's only the reason and the fields are reported, and which
 * webhook, policy or quota refuses it, so that no value gets into a log.
 */
function describe(request: string, answer: Status, body: string): string {
  if (answer.message === undefined) return /secrets/.test(request) ? "" : body.slice(0, 300);
  const holdsNoValue = !/\/secrets(\/|\?|$)/.test(request) || concernsRights(answer.message);
  if (holdsNoValue) return answer.message.slice(0, 1000);
  const fields = (answer.details?.causes ?? []).map((cause) => `${cause.reason ?? ""} ${cause.field ?? ""}`.trim());
  const causes = [/failed calling webhook "[^"]+"/, denial, dryRunUnknown, quotaRefusal].map(
    (words) => words.exec(answer.message ?? "")?.[0] ?? "",
  );
  return [answer.reason ?? "", ...causes, ...fields].filter((text) => text !== "").join(", ");
}

function parseStatus(body: string): Status {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
