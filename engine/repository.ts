/** Where copies of volumes' data go, as restic names it. https://restic.readthedocs.io/en/v0.18.1/030_preparing_a_new_repo.html */
export interface Repository {
  /** As restic takes it. It holds no credential. */
  readonly url: string;
  /** The address that movers must reach; undefined where the URL does not name it. */
  readonly server?: RepositoryServer;
  /** The TCP port that they reach it at. */
  readonly port: number;
}

export interface RepositoryServer {
  readonly host: string;
  /** The namespace of a Service of the cluster, by its name (`minio.storage.svc`). */
  readonly serviceNamespace?: string;
}

const httpsPort = 443;
const s3Host = /^s3:(?!https?:)(?<host>[^/:@]+)(?::(?<port>\d+))?\/[^/].*$/;
/** Their server follows from the account's name, which is in the credentials. */
const byAccount = /^(azure|b2|gs):[^:/@]+:.*$/;
const notSupported = /^(sftp|rclone|swift|local):|^\//;

/**
 * Takes a repository's URL apart: `s3:https://host/bucket/path`, `s3:host/bucket/path`, `rest:https://host/path`,
 * `azure:container:/path`, `b2:bucket:path`, `gs:bucket:/path`. Throws an Error that says what to write instead.
 */
export function parseRepository(text: string): Repository {
  if (notSupported.test(text))
    throw new Error(
      "Movers reach the repository over HTTP, by their environment alone: use s3:, rest:, azure:, b2: or gs:.",
    );
  if (byAccount.test(text)) return { url: text, port: httpsPort };
  const s3 = s3Host.exec(text)?.groups;
  if (s3?.["host"] !== undefined)
    return { url: text, server: serverOf(s3["host"]), port: Number(s3["port"] ?? httpsPort) };
  const [, scheme, address = ""] = /^(s3|rest):(https?:\/\/.*)$/.exec(text) ?? [];
  const url = URL.parse(address);
  if (scheme === undefined || url === null)
    throw new Error(
      'Use a restic repository\'s URL, such as "s3:https://host/bucket/path", "rest:https://host/path" or "azure:container:/path".',
    );
  if (url.username !== "" || url.password !== "")
    throw new Error(
      "Put credentials into the Secret, not into the URL: RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD.",
    );
  if (scheme === "s3" && url.pathname.replaceAll("/", "") === "") throw new Error("Name the bucket after the host.");
  const port = url.port === "" ? (url.protocol === "http:" ? 80 : httpsPort) : Number(url.port);
  return { url: text, server: serverOf(url.hostname), port };
}

function serverOf(host: string): RepositoryServer {
  const namespace = /^[a-z0-9-]+\.(?<namespace>[a-z0-9-]+)\.svc(\.|$)/.exec(host)?.groups?.["namespace"];
  return { host, ...(namespace !== undefined && { serviceNamespace: namespace }) };
}
