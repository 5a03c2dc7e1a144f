import { DrsError, type ErrorCode } from "../errors.ts";
import { storageMessage } from "./file-error.ts";

/**
 * An error of the S3 client as ours; ours and an abort stay as they are. The server's own text is not repeated, as
 * it may name an access key.
 */
export function translateS3Error(error: unknown, storage: string, key: string, signal: AbortSignal): unknown {
  if (error instanceof DrsError || signal.aborted || !(error instanceof Error)) return error;
  const status = httpStatus(error);
  const [code, text] =
    meanings[error.name] ?? meaningOfStatus(status) ?? meaningOfNetwork(error) ?? unknownMeaning(error, status);
  return new DrsError(code, text(key, storage), { id: storageMessage(code), cause: error });
}

type Meaning = readonly [code: ErrorCode, text: (key: string, storage: string) => string];

const missing: Meaning = ["NOT_FOUND", (key, storage) => `${key} is not in ${storage}`];
const refused: Meaning = [
  "PERMISSION_DENIED",
  (key, storage) =>
    `${key} in ${storage} may not be used: check the credentials and the rights to get, put, list and delete objects`,
];
const passing: Meaning = ["UNAVAILABLE", (_key, storage) => `${storage} does not answer or is too busy`];
const full: Meaning = [
  "RESOURCE_EXHAUSTED",
  (key, storage) => `${key} cannot be written, ${storage} is full or over its quota: make room`,
];
const elsewhere: Meaning = [
  "FAILED_PRECONDITION",
  (_key, storage) => `${storage} is in another region: correct --s3-region or --s3-endpoint`,
];

const meanings: Readonly<Record<string, Meaning>> = {
  NoSuchKey: missing,
  NotFound: missing,
  NoSuchBucket: [
    "FAILED_PRECONDITION",
    (_key, storage) => `${storage} does not exist: create the bucket or correct its name`,
  ],
  AccessDenied: refused,
  AllAccessDisabled: refused,
  AccountProblem: refused,
  ExpiredToken: refused,
  InvalidAccessKeyId: refused,
  InvalidToken: refused,
  SignatureDoesNotMatch: refused,
  XAdminUserNotFound: refused,
  CredentialsProviderError: [
    "PERMISSION_DENIED",
    (_key, storage) =>
      `no credentials were found for ${storage}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a profile or a role`,
  ],
  RequestTimeTooSkewed: [
    "FAILED_PRECONDITION",
    (_key, storage) => `${storage} refuses this machine's time: correct the clock`,
  ],
  PermanentRedirect: elsewhere,
  AuthorizationHeaderMalformed: elsewhere,
  PreconditionFailed: ["UNAVAILABLE", (key, storage) => `${key} in ${storage} was replaced while it was read`],
  QuotaExceeded: full,
  XMinioStorageFull: full,
  RequestTimeout: passing,
  SlowDown: passing,
  Throttling: passing,
  TimeoutError: passing,
};

function httpStatus(error: Error): number | undefined {
  const metadata = (error as { $metadata?: { httpStatusCode?: number } }).$metadata;
  return metadata?.httpStatusCode;
}

/** Not 404: only the names above say that it is the file that is missing. */
function meaningOfStatus(status: number | undefined): Meaning | undefined {
  if (status === undefined) return undefined;
  if (status === 301 || status === 307) return elsewhere;
  if (status === 401 || status === 403) return refused;
  if (status === 507) return full;
  if (status === 408 || status === 429 || status >= 500) return passing;
  return undefined;
}

/** Sockets, name resolution and TLS: errors with a code and without an answer. */
function meaningOfNetwork(error: Error): Meaning | undefined {
  const code = "code" in error ? error.code : undefined;
  if (typeof code === "string" && !code.startsWith("ERR_")) {
    return ["UNAVAILABLE", (_key, storage) => `${storage} cannot be reached (${code})`];
  }
  return undefined;
}

/** Without an answer the text is the client's own. */
function unknownMeaning(error: Error, status: number | undefined): Meaning {
  const why = status === undefined ? error.message : error.name;
  return ["INTERNAL", (key, storage) => `${key} in ${storage} cannot be used (${why})`];
}
