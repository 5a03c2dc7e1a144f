import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import type { EncryptionConfig, EngineConfig, StorageConfig } from "../../engine/config.ts";
import { type CallersConfig, callersConfig, whyNotServed } from "../callers/options.ts";
import { copiesConfig } from "./copy-options.ts";
import { whyNotKnown } from "./environment.ts";
import { type ServerLimits, serverLimits } from "../limits/options.ts";
import { describeOptions, type Options } from "./options.ts";
import type { Address } from "./parsers.ts";

/** The process's settings: from flags, else from the environment, else the defaults. Checked. */
export interface ServerConfig {
  /** Where HTTP/1.1 and HTTP/2 are served in clear text. */
  readonly listen: Address | undefined;
  /** Where they are served over TLS. */
  readonly tls: TlsConfig | undefined;
  readonly callers: CallersConfig;
  /** The prefix that clients may request in front of the service's own paths: `/drs`; empty for none. */
  readonly pathPrefix: string;
  readonly limits: ServerLimits;
  /** Bytes of the longest request taken. */
  readonly maxBodyBytes: number;
  /** Where metrics are served, to anyone who reaches it. */
  readonly metricsListen: Address | undefined;
  /** Whether the cluster is the simulated one, which has to be started first. */
  readonly simulated: boolean;
  /** A folder to remove at the end. */
  readonly temporaryData: string | undefined;
  /** Whether the server describes its API's schema to callers that are let in. */
  readonly reflection: boolean;
  readonly logLevel: string;
  /** The file that calls are audited in; `-` is standard output. */
  readonly audit: string | undefined;
  readonly engine: EngineConfig;
}

export interface TlsConfig {
  readonly address: Address;
  /** PEM files: the certificate with its chain, and the private key. */
  readonly certificateFile: string;
  readonly keyFile: string;
  /** PEM file: the authorities whose client certificates are taken; missing: clients are not asked for one. */
  readonly clientCaFile?: string | undefined;
}

/**
 * Reads the settings from the arguments (without the program's own name) and the environment.
 *
 * Throws commander's `CommanderError`, with the exit code in it, once the help, the version or what is wrong has been
 * written.
 */
export function readConfig(args: readonly string[]): ServerConfig {
  const program = describeOptions().exitOverride();
  const options = program.parse(args, { from: "user" }).opts<Options>();
  const variables = program.options.flatMap(({ envVar }) => envVar ?? []);
  const notKnown = whyNotKnown(variables, process.env);
  if (notKnown !== undefined) program.error(`error: DRS-S002 ${notKnown}`);
  const listen = options.listen === "off" ? undefined : options.listen;
  const tls = tlsConfig(options, program);
  const simulated = options.cluster === "simulated";
  const data = options.data ?? (simulated ? simulatedData : ".drs");
  if (!listen && !tls) program.error("error: nowhere to listen: give --listen or --tls-listen");
  const callers = callersConfig(options, program);
  const notServed = whyNotServed(callers, [listen, tls?.address]);
  if (notServed !== undefined) program.error(`error: DRS-C016 ${notServed}`);
  return {
    listen,
    tls,
    callers,
    pathPrefix: options.pathPrefix,
    limits: serverLimits(options),
    maxBodyBytes: options.maxBodyBytes,
    metricsListen: options.metricsListen === "off" ? undefined : options.metricsListen,
    simulated,
    temporaryData: data === simulatedData ? data : undefined,
    reflection: options.reflection === "on",
    logLevel: options.logLevel,
    audit: options.audit,
    engine: {
      databasePath: join(data, "drs.db"),
      storage: storageConfig(options, data, program),
      ...encryptionConfig(options, data, program),
      cluster: clusterAddress(options, program),
      controlPlane: {
        namespace: options.namespace,
        vaultNamespace: options.vaultNamespace,
        furtherNamespaces: options.furtherNamespaces,
        furtherObjects: options.furtherObjects,
        databaseStatefulSet: options.database,
      },
      crn: { partition: options.crnPartition, region: options.crnRegion, account: options.crnAccount },
      restore: {
        rollBack: options.goBack === "on",
        rollBackTimeout: options.goBackTimeout,
        statusOf: options.restoreStatus,
        maxRefusedObjects: options.maxRefusedObjects,
        storageClassMap: options.storageClassMap,
        prefer: options.prefer,
        ...(options.fillNamespace !== undefined && { fillNamespace: fillNamespace(options, program) }),
      },
      limits: {
        hookTimeout: options.hookTimeout,
        snapshotTimeout: options.snapshotTimeout,
        podsStopTimeout: options.podsStopTimeout,
        finalizerTimeout: options.finalizerTimeout,
        appsStartTimeout: options.appsStartTimeout,
        clusterConcurrency: options.clusterConcurrency,
        queuedJobs: options.maxQueuedJobs,
      },
      ...copiesConfig(options, program),
    },
  };
}

/** A restore empties the control plane's namespaces. */
function fillNamespace({ fillNamespace = "", ...options }: Options, program: Command): string {
  const { namespace, vaultNamespace, furtherNamespaces } = options;
  if ([namespace, vaultNamespace, ...furtherNamespaces].includes(fillNamespace))
    program.error(`error: --fill-namespace ${fillNamespace} is one of the control plane's: name another one`);
  return fillNamespace;
}

/** The simulated cluster and its snapshots end with the process; backups of it would only mislead the next one. */
const simulatedData = join(tmpdir(), `data-recovery-service-${process.pid}`);

function tlsConfig({ tlsListen, tlsCert, tlsKey, clientCa }: Options, program: Command): TlsConfig | undefined {
  if (tlsListen === "off") {
    if (clientCa) program.error("error: --client-ca needs --tls-listen");
    if (tlsCert || tlsKey) program.error("error: --tls-cert and --tls-key need --tls-listen");
    return undefined;
  }
  if (tlsCert && tlsKey) {
    return { address: tlsListen, certificateFile: tlsCert, keyFile: tlsKey, clientCaFile: clientCa };
  }
  return program.error("error: --tls-listen needs --tls-cert and --tls-key");
}

function storageConfig(options: Options, data: string, program: Command): StorageConfig {
  const storage = options.storage ?? { kind: "folder", path: join(data, "archives") };
  if (storage.kind === "folder") {
    if (options.s3Endpoint || options.s3Region || options.s3Addressing === "path")
      program.error("error: --s3-endpoint, --s3-region and --s3-addressing need --storage s3://...");
    return storage;
  }
  return {
    ...storage,
    forcePathStyle: options.s3Addressing === "path",
    ...(options.s3Endpoint && { endpoint: options.s3Endpoint }),
    ...(options.s3Region && { region: options.s3Region }),
  };
}

/** A configured file of keys says which keys are trusted; the key that the service creates itself shuts nothing out. */
function encryptionConfig(
  { encryptionKeys, unencryptedArchives }: Options,
  data: string,
  program: Command,
): { readonly encryption?: EncryptionConfig } {
  if (encryptionKeys === "off") {
    if (unencryptedArchives === "refuse")
      program.error("error: --encryption-keys off leaves nothing to restore with --unencrypted-archives refuse");
    return {};
  }
  const readsUnencrypted = (unencryptedArchives ?? (encryptionKeys ? "refuse" : "read")) === "read";
  const keyFile = encryptionKeys ?? join(data, "encryption-keys");
  const isTemporary = data === simulatedData;
  return { encryption: { keyFile, makeKey: encryptionKeys === undefined, isTemporary, readsUnencrypted } };
}

function clusterAddress({ cluster, kubeconfig, kubeContext }: Options, program: Command): EngineConfig["cluster"] {
  if (cluster === "simulated" && (kubeconfig || kubeContext))
    program.error("error: --kubeconfig and --kube-context name another cluster than --cluster simulated");
  return { ...(kubeconfig && { kubeconfig }), ...(kubeContext && { context: kubeContext }) };
}
