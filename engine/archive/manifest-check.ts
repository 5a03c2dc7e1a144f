import { type JobState, jobStates } from "../model.ts";
import { faultOfName } from "../name-check.ts";
import { partFile, plainName } from "./archive-paths.ts";
import {
  firstFormatVersion,
  formatVersion,
  type Manifest,
  maxNamespaces,
  maxTextLength,
  type Part,
  type SavedData,
  type SavedMessage,
  type SavedVolume,
  type SnapshotData,
  withData,
} from "./format.ts";

/**
 * The manifest in the present format, if the value has a manifest's shape; throws an Error that says what is wrong. An archive is input: what
 * passes here holds no path out of its folder, nothing that would lead a path of the API server elsewhere, no number
 * that is none, and no text that is longer than ours. Unknown members are ignored, as a later service may add some without
 * raising the format's version.
 */
export function checkManifest(value: unknown): Manifest {
  const manifest = record(value, "the manifest");
  const checked: Manifest = {
    formatVersion,
    backupCrn: matching(manifest, "backupCrn", crn),
    backupName: name(manifest, "backupName"),
    backupJob: name(manifest, "backupJob"),
    state: oneOf(manifest, "state", jobStates satisfies readonly JobState[]),
    entity: name(manifest, "entity"),
    includedNamespaces: list(manifest, "includedNamespaces").map((name) => matching({ name }, "name", label)),
    createdTime: time(manifest, "createdTime"),
    finishedTime: time(manifest, "finishedTime"),
    kubernetesVersion: name(manifest, "kubernetesVersion"),
    parts: list(manifest, "parts").map(checkPart),
    volumes: list(manifest, "volumes").map(volumeCheckOf(manifest)),
    messages: list(manifest, "messages").map(checkMessage),
    ...(manifest["unavailable"] !== undefined && {
      unavailable: list(manifest, "unavailable").map((name) => matching({ name }, "name", groupVersion)),
    }),
  };
  if (new Set(checked.parts.map(({ file }) => plainName(file))).size !== checked.parts.length) {
    throw new Error("parts holds a kind twice");
  }
  if (checked.includedNamespaces.length > maxNamespaces)
    throw new Error(`it has more than ${maxNamespaces} namespaces`);
  const outside = checked.volumes.find(({ namespace }) => !checked.includedNamespaces.includes(namespace));
  if (outside) throw new Error(`volumes holds a claim of namespace ${outside.namespace}, which is not in the backup`);
  return checked;
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const subdomain = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const groupVersion = /^([a-z0-9][a-z0-9.-]{0,252}\/)?[a-z0-9]{1,63}$/;
/** By its characters and length; `parseCrn` knows more. */
const crn = /^crn:[A-Za-z0-9._:-]{1,512}$/;
const kindName = /^[A-Za-z][A-Za-z0-9]{0,62}$/;

function checkPart(value: unknown): Part {
  const part = record(value, "a part");
  const checked = {
    apiVersion: matching(part, "apiVersion", groupVersion),
    kind: matching(part, "kind", kindName),
    resource: matching(part, "resource", subdomain),
    namespaced: flag(part, "namespaced"),
    file: matching(part, "file", /^objects\/[A-Za-z0-9][A-Za-z0-9._-]*$/),
    objects: count(part, "objects"),
    size: count(part, "size"),
    sha256: matching(part, "sha256", /^[0-9a-f]{64}$/),
    ...(part["uncompressed"] !== undefined && { uncompressed: count(part, "uncompressed") }),
  };
  if (plainName(checked.file) !== partFile(checked)) {
    throw new Error(`file ${checked.file} is not named after ${checked.resource} of ${checked.apiVersion}`);
  }
  return checked;
}

function volumeCheckOf(manifest: Fields): (value: unknown) => SavedVolume {
  const version = count(manifest, "formatVersion");
  if (version === firstFormatVersion) return checkFlatVolume;
  if (version === formatVersion) return checkVolume;
  throw new Error(`formatVersion ${version} is not a manifest's`);
}

function checkVolume(value: unknown): SavedVolume {
  const volume = record(value, "a volume");
  const data = list(volume, "data").map(checkData);
  if (data.length === 0) throw new Error("a volume has no data");
  if (new Set(data.map(({ kind }) => kind)).size !== data.length) throw new Error("data holds a kind twice");
  return { ...checkClaim(volume), data };
}

function checkFlatVolume(value: unknown): SavedVolume {
  const volume = record(value, "a volume");
  return withData({ ...checkClaim(volume), ...checkSnapshot(volume) });
}

function checkClaim(volume: Fields): Omit<SavedVolume, "data"> {
  return {
    namespace: matching(volume, "namespace", label),
    claim: matching(volume, "claim", subdomain),
    persistentVolume: matching(volume, "persistentVolume", subdomain),
    storageClass: name(volume, "storageClass"),
  };
}

function checkData(value: unknown): SavedData {
  const data = record(value, "data");
  return { kind: oneOf(data, "kind", ["snapshot"]), ...checkSnapshot(data) };
}

function checkSnapshot(data: Fields): Omit<SnapshotData, "kind"> {
  return {
    driver: name(data, "driver"),
    snapshotClass: name(data, "snapshotClass"),
    snapshotHandle: text(data, "snapshotHandle"),
    restoreSize: data["restoreSize"] === null ? null : count(data, "restoreSize"),
    snapshotTime: time(data, "snapshotTime"),
  };
}

function checkMessage(value: unknown): SavedMessage {
  const message = record(value, "a message");
  return {
    level: oneOf(message, "level", ["warning", "error"]),
    namespace: name(message, "namespace"),
    text: text(message, "text"),
    time: time(message, "time"),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function record(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${what} is no JSON object`);
  return value as Fields;
}

function list(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new Error(`${name} is no list`);
  return value;
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new Error(`${name} is no text`);
  if (value.length > maxTextLength) throw new Error(`${name} is longer than ${maxTextLength} characters`);
  return value;
}

/** What the API takes for a name, of which lists are full. */
function name(fields: Fields, member: string): string {
  const value = text(fields, member);
  const fault = faultOfName(value);
  if (fault !== undefined) throw new Error(`${member} ${fault}`);
  return value;
}

function matching(fields: Fields, name: string, pattern: RegExp): string {
  const value = text(fields, name);
  if (!pattern.test(value)) throw new Error(`${name} is not allowed: ${JSON.stringify(value.slice(0, 100))}`);
  return value;
}

function time(fields: Fields, name: string): string {
  const value = text(fields, name);
  if (Number.isNaN(Date.parse(value))) throw new Error(`${name} is no time`);
  return value;
}

function flag(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value !== "boolean") throw new Error(`${name} is neither true nor false`);
  return value;
}

/** A whole number from zero that JavaScript holds exactly. */
function count(fields: Fields, name: string): number {
  const value = fields[name];
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Error(`${name} is no count`);
  return value as number;
}

function oneOf<T extends string>(fields: Fields, name: string, allowed: readonly T[]): T {
  const value = fields[name];
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`${name} is none of ${allowed.join(", ")}`);
  return found;
}
