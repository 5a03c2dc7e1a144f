import { Command } from "commander";
import type { FurtherObjects, StorageConfig } from "../../engine/config.ts";
import packageJson from "../../package.json" with { type: "json" };
import { addCallerOptions, type CallerOptions } from "../callers/options.ts";
import { addLimitOptions, type LimitOptions } from "../limits/options.ts";
import { addCopyOptions, type CopyOptions } from "./copy-options.ts";
import { duration, setting } from "./option.ts";
import {
  type Address,
  parseAddress,
  parseClassMap,
  parseCount,
  parseCountOrNone,
  parseCrnPart,
  parseFile,
  parseFurtherObjects,
  parseHttpUrl,
  parseName,
  parseNameOrOff,
  parseNames,
  parseResources,
  parseStorage,
} from "./parsers.ts";

/** The values of `describeOptions`, each of them parsed by itself. */
export interface Options extends CallerOptions, LimitOptions, CopyOptions {
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
  readonly furtherObjects: readonly FurtherObjects[];
  readonly database: string;
  readonly crnPartition: string;
  readonly crnRegion: string;
  readonly crnAccount: string;
  readonly goBack: "on" | "off";
  readonly goBackTimeout: number;
  readonly restoreStatus: readonly string[];
  readonly maxRefusedObjects: number;
  readonly fillNamespace?: string;
  readonly storageClassMap: Readonly<Record<string, string>>;
  readonly prefer: "snapshot" | "copy";
  readonly hookTimeout: number;
  readonly snapshotTimeout: number;
  readonly podsStopTimeout: number;
  readonly finalizerTimeout: number;
  readonly appsStartTimeout: number;
}

/** Every setting of the service, as `--help` shows them. docs/settings.md is generated from them (`npm run settings`). */
export function describeOptions(): Command {
  const program = new Command("npm start --")
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
      setting("--metrics-listen <host:port>", '"GET /metrics" for Prometheus, to anyone who reaches it; "off" for none')
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
  addMainOptions(program);
  return addCopyOptions(program);
}

function addMainOptions(program: Command): Command {
  return program
    .optionsGroup("Keeping:")
    .addOption(
      setting(
        "--data <folder>",
        'holds the database "drs.db" and the key "encryption-keys" (default: ".drs"; a temporary one for the simulated cluster)',
      ),
    )
    .addOption(
      setting(
        "--storage <url>",
        'where backups go: "file:///folder" or "s3://bucket/prefix" (default: "archives" in --data)',
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
        'an id and a key a line, the first one encrypts, all decrypt; "off" for none (default: "encryption-keys" in --data, made when missing)',
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
        'says which cluster (default: "KUBECONFIG", "~/.kube/config", the pod\'s account)',
      ).argParser(parseFile),
    )
    .addOption(setting("--kube-context <name>", "a context of the kubeconfig (default: its current one)"))
    .addOption(
      setting("--cluster-concurrency <n>", "requests to the cluster at once").argParser(parseCount).default(32),
    )

    .optionsGroup("Control plane:")
    .addOption(setting("--namespace <name>", "its main namespace").argParser(parseName).default("cdp"))
    .addOption(
      setting("--vault-namespace <name>", "its embedded vault's namespace, if there is one")
        .argParser(parseName)
        .default("vault-system"),
    )
    .addOption(
      setting("--further-namespaces <names>", 'more namespaces that belong to it, such as "cdp-monitoring,..."')
        .argParser(parseNames)
        .default([], "none"),
    )
    .addOption(
      setting(
        "--further-objects <objects>",
        'cluster-scoped objects that belong to it though nothing in its namespaces names them: <kinds>, <kinds>/<name>, <kinds>?<label>=<value> or *?<label>=<value> for all kinds, such as "clusterissuers.cert-manager.io/internal,..."',
      )
        .argParser(parseFurtherObjects)
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
      setting("--go-back <choice>", "whether a failed restore is rolled back").choices(["on", "off"]).default("on"),
    )
    .addOption(
      setting(
        "--restore-status <resources>",
        'custom resources whose status, where it is a subresource, is restored, such as "widgets.example.com,..."',
      )
        .argParser(parseResources)
        .default([], "none"),
    )
    .addOption(
      setting(
        "--max-refused-objects <n>",
        "a restore that the cluster refuses more objects of fails and rolls back; 0: any refusal does",
      )
        .argParser(parseCountOrNone)
        .default(5),
    )
    .addOption(
      setting(
        "--fill-namespace <name>",
        'where volumes are filled while the applications still run; "off": when they have stopped (default: the service\'s own namespace, if it has one)',
      ).argParser(parseNameOrOff),
    )
    .addOption(
      setting(
        "--storage-class-map <classes>",
        'in a cluster with other storage classes: <saved>=<existing>, such as "gp2=premium,..."; claims and stateful sets name the existing one, and the saved one is not created',
      )
        .argParser(parseClassMap)
        .default({}, "none"),
    )
    .addOption(
      setting("--prefer <which>", "where a volume's data comes from that has both, a usable snapshot and a copy")
        .choices(["snapshot", "copy"])
        .default("snapshot"),
    )

    .optionsGroup("Time limits:")
    .addOption(duration("--hook-timeout", "a hook that names no limit of its own", "30s"))
    .addOption(duration("--snapshot-timeout", "all snapshots of a backup, and all claims of a restore", "10m"))
    .addOption(duration("--pods-stop-timeout", "the pods of stopped applications, and their claims", "5m"))
    .addOption(duration("--finalizer-timeout", "a finalizer nobody removes", "60s"))
    .addOption(duration("--apps-start-timeout", "restored applications becoming ready", "10m"))
    .addOption(duration("--go-back-timeout", "what the cluster refuses while a restore rolls back", "2h"));
}
