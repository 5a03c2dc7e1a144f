import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import type { EncryptionConfig, EngineConfig, StorageConfig } from "../engine/config.ts";
import packageJson from "../package.json" with { type: "json" };
import {
  addCallerOptions,
  type CallerOptions,
  type CallersConfig,
  callersConfig,
  whyNotServed,
} from "./callers/options.ts";
import { addLimitOptions, type LimitOptions, type ServerLimits, serverLimits } from "./limits/options.ts";
import { duration, setting } from "./option.ts";
import {
  type Address,
  parseAddress,
  parseCount,
  parseCountOrNone,
  parseCrnPart,
  parseFile,
  parseHttpUrl,
  parseName,
  parseNames,
  parseResources,
  parseStorage,
} from "./parsers.ts";

/** What the process is told: by flags, else by the environment, else the default. Checked. */
export interface ServerConfig {
  /** Where HTTP/1.1 and HTTP/2 are served in clear text. */
  readonly listen: Address | undefined;
  /** Where they are served over TLS. */
  readonly tls: TlsConfig | undefined;
  readonly callers: CallersConfig;
  /** What clients may ask for in front of the service's own paths: `/drs`; empty for nothing. */
  readonly pathPrefix: string;
  readonly limits: ServerLimits;
  /** Bytes of the longest request taken. */
  readonly maxBodyBytes: number;
  /** Where metrics are served, to whoever reaches it. */
  readonly metricsListen: Address | undefined;
  /** Whether the cluster is the simulated one, which has to be started first. */
  readonly simulated: boolean;
  /** A folder to remove at the end. */
  readonly temporaryData: string | undefined;
  /** For tests: the crash point at which to die. */
  readonly crashAt: string | undefined;
  /** Whether the server tells its API's schema to those who are let in. */
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

interface Options extends CallerOptions, LimitOptions {
  readonly listen: Address | "off";
  readonly tlsListen: Address | "off";
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly maxBodyBytes: number;
  readonly metricsListen: Address | "off";
  readonly reflection: "on" | "off";
  readonly logLevel: string;
  readonly audit?: string;
  readonly data?: string;
  readonly crashAt?: string;
  readonly storage?: StorageConfig;
  readonly s3Endpoint?: string;
  readonly s3Region?: string;
  readonly s3Addressing: "host" | "path";
  readonly encryptionKeys?: string;
  readonly unencryptedArchives?: "read" | "refuse";
  readonly cluster: "auto" | "simulated";
  readonly kubeconfig?: string;
  readonly kubeContext?: string;
  readonly clusterConcurrency: number;
  readonly namespace: string;
  readonly vaultNamespace: string;
  readonly furtherNamespaces: readonly string[];
  readonly database: string;
  readonly crnPartition: string;
  readonly crnRegion: string;
  readonly crnAccount: string;
  readonly goBack: "on" | "off";
  readonly restoreStatus: readonly string[];
  readonly maxRefusedObjects: number;
  readonly hookTimeout: number;
  readonly snapshotTimeout: number;
  readonly podsStopTimeout: number;
  readonly finalizerTimeout: number;
  readonly appsStartTimeout: number;
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
  const listen = options.listen === "off" ? undefined : options.listen;
  const tls = tlsConfig(options, program);
  const simulated = options.cluster === "simulated";
  const data = options.data ?? (simulated ? simulatedData : ".drs");
  if (!listen && !tls) program.error("error: nowhere to listen: give --listen or --tls-listen");
  const callers = callersConfig(options, program);
  const notServed = whyNotServed(callers, [listen, tls?.address]);
  if (notServed !== undefined) program.error(`error: ${notServed}`);
  return {
    listen,
    tls,
    callers,
    pathPrefix: options.pathPrefix,
    limits: serverLimits(options),
    maxBodyBytes: options.maxBodyBytes,
    metricsListen: options.metricsListen === "off" ? undefined : options.metricsListen,
    simulated,
    crashAt: options.crashAt,
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
        databaseStatefulSet: options.database,
      },
      crn: { partition: options.crnPartition, region: options.crnRegion, account: options.crnAccount },
      restore: {
        goBack: options.goBack === "on",
        statusOf: options.restoreStatus,
        maxRefusedObjects: options.maxRefusedObjects,
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
    },
  };
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

/** Whoever names a file of keys says what is to be trusted; the key that is made of itself shuts nothing out. */
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

function describeOptions(): Command {
  const program = new Command("data-recovery-service")
    .description(
      `${packageJson.description}\n\nEvery setting is a flag or an environment variable. Durations: 500ms, 90s, 10m, 1h.`,
    )
    .version(packageJson.version)
    .allowExcessArguments(false)

    .optionsGroup("Listening:")
    .addOption(
      setting("--listen <host:port>", 'clear text, HTTP/1.1 and HTTP/2; ":8080" for every interface, "off" for none')
        .argParser(parseAddress)
        .default(parseAddress("127.0.0.1:8080"), "127.0.0.1:8080"),
    )
    .addOption(
      setting("--tls-listen <host:port>", 'TLS, HTTP/1.1 and HTTP/2; "off" for none')
        .argParser(parseAddress)
        .default("off"),
    )
    .addOption(setting("--tls-cert <file>", "the certificate and its chain, PEM").argParser(parseFile))
    .addOption(setting("--tls-key <file>", "the certificate's private key, PEM").argParser(parseFile))
    .addOption(setting("--max-body-bytes <n>", "the longest request").argParser(parseCount).default(1_048_576))
    .addOption(
      setting("--reflection <choice>", "whether clients may learn the API from the server (gRPC server reflection)")
        .choices(["on", "off"])
        .default("on"),
    )
    .addOption(
      setting("--metrics-listen <host:port>", 'GET /metrics for Prometheus, to everybody; "off" for none')
        .argParser(parseAddress)
        .default("off"),
    )
    .addOption(
      setting("--log-level <level>", "the least that is logged")
        .choices(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
        .default("info"),
    )
    .addOption(
      setting("--audit <file>", 'a line for every call is added to it; "-" for standard output (default: none)'),
    );
  addCallerOptions(program);
  addLimitOptions(program);
  return program
    .optionsGroup("Keeping:")
    .addOption(
      setting(
        "--data <folder>",
        "holds the database drs.db and the key encryption-keys (default: .drs; a temporary one for the simulated cluster)",
      ),
    )
    .addOption(
      setting(
        "--storage <url>",
        "where backups go: file:///folder or s3://bucket/prefix (default: archives in --data)",
      ).argParser(parseStorage),
    )
    .addOption(setting("--s3-endpoint <url>", "an S3-compatible server other than AWS").argParser(parseHttpUrl))
    .addOption(setting("--s3-region <region>", "the bucket's region; else as AWS's own tools find it"))
    .addOption(
      setting("--s3-addressing <how>", "whether the bucket is in the URL's host or path")
        .choices(["host", "path"])
        .default("host"),
    )

    .optionsGroup("Encryption of backups:")
    .addOption(
      setting(
        "--encryption-keys <file>",
        'an id and a key a line, the first one encrypts, all decrypt; "off" for none (default: encryption-keys in --data, made when missing)',
      ),
    )
    .addOption(
      setting(
        "--unencrypted-archives <choice>",
        "whether backups that are not encrypted are restored (default: refuse with --encryption-keys, else read)",
      ).choices(["read", "refuse"]),
    )

    .optionsGroup("Cluster:")
    .addOption(
      setting("--cluster <which>", "the kubeconfig's or the pod's own; or a simulated one in this process")
        .choices(["auto", "simulated"])
        .default("auto"),
    )
    .addOption(
      setting(
        "--kubeconfig <file>",
        "says which cluster (default: KUBECONFIG, ~/.kube/config, the pod's account)",
      ).argParser(parseFile),
    )
    .addOption(setting("--kube-context <name>", "a context of the kubeconfig (default: its current one)"))
    .addOption(
      setting("--cluster-concurrency <n>", "requests to the cluster at once").argParser(parseCount).default(32),
    )

    .addOption(setting("--crash-at <point>", "for tests: dies at this point").hideHelp())

    .optionsGroup("Control plane:")
    .addOption(setting("--namespace <name>", "its main namespace").argParser(parseName).default("cdp"))
    .addOption(
      setting("--vault-namespace <name>", "its embedded vault's namespace, if there is one")
        .argParser(parseName)
        .default("vault-system"),
    )
    .addOption(
      setting("--further-namespaces <names>", "more namespaces that belong to it, such as cdp-monitoring,...")
        .argParser(parseNames)
        .default([], "none"),
    )
    .addOption(
      setting("--database <name>", "its embedded database's stateful set, if there is one")
        .argParser(parseName)
        .default("cdp-embedded-db"),
    )

    .optionsGroup("Names of backups, crn:<partition>:drs:<region>:<account>:...:")
    .addOption(
      setting("--crn-partition <name>", "the first part of every CRN after crn:")
        .argParser(parseCrnPart)
        .default("altus"),
    )
    .addOption(setting("--crn-region <name>", "the region in every CRN").argParser(parseCrnPart).default("us-west-1"))
    .addOption(
      setting("--crn-account <id>", "the account in every CRN")
        .argParser(parseCrnPart)
        .default("00000000-0000-0000-0000-000000000000"),
    )

    .optionsGroup("Restores:")
    .addOption(
      setting("--go-back <choice>", "whether a restore that fails puts back what was there before")
        .choices(["on", "off"])
        .default("on"),
    )
    .addOption(
      setting(
        "--restore-status <resources>",
        "custom resources whose status is restored, such as widgets.example.com,...",
      )
        .argParser(parseResources)
        .default([], "none"),
    )
    .addOption(
      setting("--max-refused-objects <n>", "a restore that the cluster refuses more objects of fails and goes back")
        .argParser(parseCountOrNone)
        .default(5),
    )

    .optionsGroup("Time limits:")
    .addOption(duration("--hook-timeout", "a hook that names no limit of its own", "30s"))
    .addOption(duration("--snapshot-timeout", "all snapshots of a backup, and all claims of a restore", "10m"))
    .addOption(duration("--pods-stop-timeout", "the pods of stopped applications, and their claims", "5m"))
    .addOption(duration("--finalizer-timeout", "a finalizer nobody removes", "60s"))
    .addOption(duration("--apps-start-timeout", "restored applications becoming ready", "10m"));
}
