import { type Command, InvalidArgumentError } from "commander";
import type { CopiesConfig, Toleration } from "../../engine/config.ts";
import { parseRepository } from "../../engine/repository.ts";
import { setting } from "./option.ts";
import { parseCount, parseCountOrNone, parseDuration, parseName } from "./parsers.ts";

/** The values of `addCopyOptions`, each of them parsed by itself. */
export interface CopyOptions {
  readonly copies: "on" | "off";
  readonly copiesRepository?: string;
  readonly copiesSecret?: string;
  readonly copiesImage: string;
  readonly copiesConcurrency: number;
  readonly copiesResources: Readonly<Record<string, string>>;
  readonly copiesNodeSelector: Readonly<Record<string, string>>;
  readonly copiesTolerations: readonly Toleration[];
  readonly copiesStorageClass?: string;
  readonly copiesUploadLimit?: number;
  readonly copyLive: "on" | "off";
  readonly copiesUpkeep: number | "off";
  readonly copiesCheckParts: number;
  readonly encryptionKeys?: string;
}

/** Settings of copies of volumes' data outside of the storage system. */
export function addCopyOptions(program: Command): Command {
  return program
    .optionsGroup("Copies of volumes outside of the storage system:")
    .addOption(
      setting("--copies <choice>", "whether the volumes of each backup are copied to a restic repository")
        .choices(["on", "off"])
        .default("off"),
    )
    .addOption(
      setting(
        "--copies-repository <url>",
        'where they go, as restic names it: "s3:https://host/bucket/path", "rest:https://host/path", "azure:container:/path", "b2:bucket:path", "gs:bucket:/path" or "sftp:user@host:/path"; or what movers mount: "claim:name", "claim:name/path" or "nfs:host:/path"',
      ).argParser(parseRepositoryUrl),
    )
    .addOption(
      setting(
        "--copies-secret <name>",
        'the Secret with its credentials in the namespace of --fill-namespace: restic\'s environment, such as AWS_ACCESS_KEY_ID; its keys are files in "/drs/credentials", too. Not needed for what is mounted',
      ).argParser(parseName),
    )
    .addOption(
      setting("--copies-image <image>", "has restic, 0.17 or newer, and sh").default("docker.io/restic/restic:0.18.1"),
    )
    .addOption(setting("--copies-concurrency <n>", "volumes that are copied at once").argParser(parseCount).default(2))
    .addOption(
      setting(
        "--copies-resources <resources>",
        'what each mover requests, and gets at most, such as "cpu=1,memory=1Gi"',
      )
        .argParser(parsePairs)
        .default({}, "none"),
    )
    .addOption(
      setting("--copies-node-selector <labels>", 'the nodes that movers run on, such as "kubernetes.io/arch=amd64,..."')
        .argParser(parsePairs)
        .default({}, "any"),
    )
    .addOption(
      setting("--copies-tolerations <taints>", 'taints that movers tolerate, such as "dedicated=backup:NoSchedule,..."')
        .argParser(parseTolerations)
        .default([], "none"),
    )
    .addOption(
      setting(
        "--copies-storage-class <name>",
        "where snapshots are made volumes again to be read; of the same driver (default: each claim's own)",
      ),
    )
    .addOption(
      setting("--copies-upload-limit <n>", "KiB a second that each mover sends at most (default: none)").argParser(
        parseCount,
      ),
    )
    .addOption(
      setting(
        "--copy-live <choice>",
        "whether volumes that no snapshot can hold are copied, too: while applications use them, so not as of one moment",
      )
        .choices(["on", "off"])
        .default("off"),
    )
    .addOption(
      setting(
        "--copies-upkeep <duration>",
        'how long after the last time the repository is checked again, and the space of forgotten copies given back, while nothing is copied; or "off"',
      )
        .argParser((text) => (text === "off" ? text : parseDuration(text)))
        .default(parseDuration("24h"), "24h"),
    )
    .addOption(
      setting(
        "--copies-check-parts <n>",
        "into how many parts the data is divided, 256 at most, of which each check reads another one; 0: checks read none of the data",
      )
        .argParser(parseParts)
        .default(30),
    );
}

/** restic divides by the first two digits of packs' names. */
function parseParts(text: string): number {
  const parts = parseCountOrNone(text);
  if (parts > 256) throw new InvalidArgumentError("Use a whole number, 256 at most.");
  return parts;
}

/** Fails the program when settings do not fit together. */
export function copiesConfig(options: CopyOptions, program: Command): { readonly copies?: CopiesConfig } {
  const { copiesRepository: repository, copiesSecret: secret } = options;
  if (options.copies === "off") {
    if (repository !== undefined || secret !== undefined)
      program.error("error: --copies-repository and --copies-secret need --copies on");
    if (options.copyLive === "on") program.error("error: --copy-live on needs --copies on");
    return {};
  }
  if (repository === undefined) return program.error("error: --copies on needs --copies-repository");
  if (secret === undefined && parseRepository(repository).volume === undefined)
    return program.error(`error: --copies on needs --copies-secret, with the credentials of ${repository}`);
  if (options.encryptionKeys === "off")
    program.error("error: --copies on needs encryption keys, from which the repository's password is made");
  return {
    copies: {
      repository,
      ...(secret !== undefined && { secret }),
      image: options.copiesImage,
      concurrency: options.copiesConcurrency,
      resources: options.copiesResources,
      nodeSelector: options.copiesNodeSelector,
      tolerations: options.copiesTolerations,
      readsLive: options.copyLive === "on",
      ...(options.copiesStorageClass !== undefined && { storageClass: options.copiesStorageClass }),
      ...(options.copiesUploadLimit !== undefined && { uploadLimit: options.copiesUploadLimit }),
      ...(options.copiesUpkeep !== "off" && {
        upkeep: { everyMs: options.copiesUpkeep, parts: options.copiesCheckParts },
      }),
    },
  };
}

function parseRepositoryUrl(text: string): string {
  try {
    return parseRepository(text).url;
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

/** `<name>=<value>`, with commas between. */
function parsePairs(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    wordsOf(text).map((word) => {
      const [, name, value] = /^([A-Za-z0-9][A-Za-z0-9._/-]*)=([A-Za-z0-9._-]*)$/.exec(word) ?? [];
      if (name === undefined || value === undefined) throw new InvalidArgumentError(`"${word}" is not <name>=<value>.`);
      return [name, value];
    }),
  );
}

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/** `<key>[=<value>][:<effect>]`, as kubectl writes taints, with commas between. */
function parseTolerations(text: string): readonly Toleration[] {
  return wordsOf(text).map((word) => {
    const [, key, value, effect] = /^([A-Za-z0-9][A-Za-z0-9._/-]*)(?:=([A-Za-z0-9._-]*))?(?::(\w+))?$/.exec(word) ?? [];
    if (key === undefined || (effect !== undefined && !effects.includes(effect)))
      throw new InvalidArgumentError(
        `"${word}" is not <key>, <key>=<value> or these with :<effect>, of ${effects.join(", ")}.`,
      );
    const operator = value === undefined ? "Exists" : "Equal";
    return { key, operator, ...(value !== undefined && { value }), ...(effect !== undefined && { effect }) };
  });
}

function wordsOf(text: string): readonly string[] {
  return text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}
