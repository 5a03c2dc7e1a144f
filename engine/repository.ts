/** Where copies of volumes' data go. https://restic.readthedocs.io/en/v0.18.1/030_preparing_a_new_repo.html */
export interface Repository {
  /** As it is set, and noted in archives. It holds no credential. */
  readonly url: string;
  /** As restic in a mover takes it. */
  readonly location: string;
  /** Where movers must reach it; undefined where they mount it. */
  readonly network?: RepositoryNetwork;
  /** What movers mount to have it; undefined where they reach it over the network. */
  readonly volume?: RepositoryVolume;
}

export interface RepositoryNetwork {
  /** The TCP port. */
  readonly port: number;
  /** Undefined where the URL does not name it. */
  readonly server?: RepositoryServer;
}

export interface RepositoryServer {
  readonly host: string;
  /** The namespace of a Service of the cluster, by its name (`minio.storage.svc`). */
  readonly serviceNamespace?: string;
}

/** A claim of the movers' namespace, or a folder that an NFS server exports. */
export type RepositoryVolume =
  | { readonly claim: string }
  | { readonly nfs: { readonly server: string; readonly path: string } };

/** Where movers have a repository that they mount. */
export const repositoryFolder = "/drs/repository";

const httpsPort = 443;
const sshPort = 22;
const s3Host = /^s3:(?!https?:)(?<host>[^/:@]+)(?::(?<port>\d+))?\/[^/].*$/;
/** Their server follows from the account's name, which is in the credentials. */
const byAccount = /^(azure|b2|gs):[^:/@]+:.*$/;
const sftpHost = /^sftp:(?:[^@:/]+@)?(?<host>[^@:/]+):.+$/;
const sftpUrl = /^sftp:(?<address>\/\/.*)$/;
const claimName = /^claim:(?<claim>[a-z0-9]([-a-z0-9.]*[a-z0-9])?)(?<path>(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)$/;
const nfsFolder = /^nfs:(?<server>[^:/@]+):(?<path>\/.*)$/;
const notSupported = /^(rclone|swift|local):|^\//;

/**
 * Takes a repository's URL apart: one that restic has (`s3:https://host/bucket/path`, `s3:host/bucket/path`,
 * `rest:https://host/path`, `azure:container:/path`, `b2:bucket:path`, `gs:bucket:/path`, `sftp:user@host:/path`,
 * `sftp://user@host:port//path`), or what movers mount: `claim:name`, `claim:name/path`, `nfs:host:/path`. Throws an Error that says
 * what to write instead.
 */
export function parseRepository(url: string): Repository {
  if (notSupported.test(url))
    throw new Error(
      'Movers reach the repository from any node: use s3:, rest:, azure:, b2:, gs: or sftp:, or for a folder "claim:name" or "nfs:host:/path".',
    );
  const { claim, path } = claimName.exec(url)?.groups ?? {};
  if (claim !== undefined) return { url, location: `${repositoryFolder}${path}`, volume: { claim } };
  if (url.startsWith("claim:"))
    throw new Error('Name a claim of the movers\' namespace, and a folder in it if you like: "claim:name/folder".');
  const nfs = nfsFolder.exec(url)?.groups;
  if (nfs) {
    const { server = "", path: exported = "" } = nfs;
    return { url, location: repositoryFolder, volume: { nfs: { server, path: exported } } };
  }
  if (url.startsWith("nfs:")) throw new Error('Name a host and a folder that it exports: "nfs:host:/path".');
  return { url, location: url, network: networkOf(url) };
}

function networkOf(text: string): RepositoryNetwork {
  if (byAccount.test(text)) return { port: httpsPort };
  const s3 = s3Host.exec(text)?.groups;
  if (s3?.["host"] !== undefined) return { server: serverOf(s3["host"]), port: Number(s3["port"] ?? httpsPort) };
  const sftp = sftpHost.exec(text)?.groups?.["host"];
  if (sftp !== undefined) return { server: serverOf(sftp), port: sshPort };
  const [, scheme, address = ""] = /^(s3|rest):(https?:\/\/.*)$/.exec(text) ?? ["", ...sftpParts(text)];
  const url = URL.parse(address);
  if (!scheme || url === null || url.hostname === "")
    throw new Error(
      'Use a restic repository\'s URL, such as "s3:https://host/bucket/path", "rest:https://host/path" or "azure:container:/path".',
    );
  if ((url.username !== "" && scheme !== "sftp") || url.password !== "")
    throw new Error(
      "Put credentials into the Secret, not into the URL: RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD.",
    );
  if (scheme === "s3" && url.pathname.replaceAll("/", "") === "") throw new Error("Name the bucket after the host.");
  if (scheme === "sftp" && url.pathname.replaceAll("/", "") === "") throw new Error("Name a folder after the host.");
  const usual = { "http:": 80, "https:": httpsPort, "sftp:": sshPort }[url.protocol] ?? httpsPort;
  return { server: serverOf(url.hostname), port: url.port === "" ? usual : Number(url.port) };
}

function sftpParts(text: string): readonly string[] {
  const address = sftpUrl.exec(text)?.groups?.["address"];
  return address === undefined ? [] : ["sftp", `sftp:${address}`];
}

function serverOf(host: string): RepositoryServer {
  const namespace = /^[a-z0-9-]+\.(?<namespace>[a-z0-9-]+)\.svc(\.|$)/.exec(host)?.groups?.["namespace"];
  return { host, ...(namespace !== undefined && { serviceNamespace: namespace }) };
}
