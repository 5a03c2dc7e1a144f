import * as v from "valibot";
import { jobStates } from "../model.ts";
import { faultOfName } from "../name-check.ts";
import { inShape } from "../shape.ts";
import { partFile, plainName } from "./archive-paths.ts";
import {
  firstFormatVersion,
  formatVersion,
  type Manifest,
  maxNamespaces,
  maxTextLength,
  type SavedVolume,
  withData,
} from "./format.ts";

const text = v.pipe(v.string(), v.maxLength(maxTextLength, `is longer than ${maxTextLength} characters`));
/** A name as the API accepts it; lists are full of them. */
const name = v.pipe(
  text,
  v.check(
    (text) => faultOfName(text) === undefined,
    ({ input }) => faultOfName(input) ?? "",
  ),
);
const matching = (pattern: RegExp) =>
  v.pipe(
    text,
    v.regex(pattern, ({ input }) => `is not allowed: ${JSON.stringify(input.slice(0, 100))}`),
  );
const time = v.pipe(
  text,
  v.check((text) => !Number.isNaN(Date.parse(text)), "is not a time"),
);
/** A whole number from zero that JavaScript holds exactly. */
const count = v.pipe(v.number(), v.safeInteger("is not a count"), v.minValue(0, "is not a count"));
const distinct = <Item>(items: readonly Item[], by: (item: Item) => string) =>
  new Set(items.map(by)).size === items.length;

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const label = matching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
const subdomain = matching(/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/);
const groupVersion = matching(/^([a-z0-9][a-z0-9.-]{0,252}\/)?[a-z0-9]{1,63}$/);

const part = v.pipe(
  v.object({
    apiVersion: groupVersion,
    kind: matching(/^[A-Za-z][A-Za-z0-9]{0,62}$/),
    resource: subdomain,
    namespaced: v.boolean(),
    file: matching(/^objects\/[A-Za-z0-9][A-Za-z0-9._-]*$/),
    objects: count,
    size: count,
    sha256: matching(/^[0-9a-f]{64}$/),
    uncompressed: v.exactOptional(count),
  }),
  v.check(
    (part) => plainName(part.file) === partFile(part),
    ({ input: { file, resource, apiVersion } }) =>
      `has file ${file}, which is not named after ${resource} of ${apiVersion}`,
  ),
);

const claim = { namespace: label, claim: subdomain, persistentVolume: subdomain, storageClass: name };
const snapshot = {
  driver: name,
  snapshotClass: name,
  snapshotHandle: text,
  restoreSize: v.nullable(count),
  snapshotTime: time,
};
const data = v.object({ kind: v.picklist(["snapshot"]), ...snapshot });
const volume = v.object({
  ...claim,
  data: v.pipe(
    v.array(data),
    v.minLength(1, "is empty"),
    v.check((data) => distinct(data, ({ kind }) => kind), "holds a kind twice"),
  ),
});
const flatVolume = v.pipe(
  v.object({ ...claim, ...snapshot }),
  v.transform((volume): SavedVolume => withData(volume)),
);

const manifest = <Volume extends v.GenericSchema<unknown, SavedVolume>>(volume: Volume) =>
  v.object({
    /** By its characters and length; `parseCrn` knows more. */
    backupCrn: matching(/^crn:[A-Za-z0-9._:-]{1,512}$/),
    backupName: name,
    backupJob: name,
    state: v.picklist(jobStates),
    entity: name,
    includedNamespaces: v.pipe(v.array(label), v.maxLength(maxNamespaces, `has more than ${maxNamespaces} namespaces`)),
    createdTime: time,
    finishedTime: time,
    kubernetesVersion: name,
    parts: v.pipe(
      v.array(part),
      v.check((parts) => distinct(parts, ({ file }) => plainName(file)), "holds a kind twice"),
    ),
    volumes: v.array(volume),
    messages: v.array(v.object({ level: v.picklist(["warning", "error"]), namespace: name, text, time })),
    unavailable: v.exactOptional(v.array(groupVersion)),
  });

const versions = new Map<number, v.GenericSchema<unknown, Omit<Manifest, "formatVersion">>>([
  [firstFormatVersion, manifest(flatVolume)],
  [formatVersion, manifest(volume)],
]);

/**
 * The manifest in the present format, if the value has a manifest's shape; throws an Error that names the fault. An archive is input: what
 * passes here holds no path out of its folder, nothing that would lead a path of the API server elsewhere, no number
 * that is none, and no text that is longer than ours. Unknown members are ignored, as a later service may add some without
 * raising the format's version.
 */
export function checkManifest(value: unknown): Manifest {
  const { formatVersion: version } = inShape(v.object({ formatVersion: count }), value, "the manifest");
  const schema = versions.get(version);
  if (!schema) throw new Error(`formatVersion ${version} is not a manifest's`);
  const checked = { formatVersion, ...inShape(schema, value, "the manifest") } satisfies Manifest;
  const outside = checked.volumes.find(({ namespace }) => !checked.includedNamespaces.includes(namespace));
  if (outside) throw new Error(`volumes holds a claim of namespace ${outside.namespace}, which is not in the backup`);
  return checked;
}
