/**
 * The format of a backup in bytes. `docs/archive-format.md` is the same for people; both change together.
 *
 *     backups/<uuid>/objects/<part>.ndjson.zst   one resource's objects, a line each, as the API server sent them
 *     backups/<uuid>/manifest.json.sha256        `<hex>  manifest.json\n`: what sha256sum -c reads
 *     backups/<uuid>/copies.json                 where the volumes' data was copied to (`copies-file.ts`)
 *     backups/<uuid>/manifest.json               written last: without it there is no backup
 *
 * In an encrypted archive each part is an encrypted file (`encrypted-file.ts`) with `.enc` after its name, and the manifest.json is
 * an `EncryptedManifest`.
 */
import type { JobState } from "../model.ts";

/** A manifest's. Raised when a reader of the older format would misread the newer one. */
export const formatVersion = 3;
/** The first one, with volumes as `FlatVolume`. */
export const firstFormatVersion = 1;
/** The version of an archive whose manifest is encrypted; the manifest inside has a version of its own. */
export const encryptedFormatVersion = 2;

/** A line holds what the API server takes in one request, 3 MiB, with room to spare. More is none of ours. */
export const maxLineLength = 8 * 1024 * 1024;
/** A manifest names some hundred parts and a line for each claim. */
export const maxManifestLength = 8 * 1024 * 1024;
/** A text in a manifest, in UTF-16 code units. A message is cut at half of that. More is none of ours. */
export const maxTextLength = 16 * 1024;
/** A control plane has a handful. */
export const maxNamespaces = 1_000;

/** One resource of the API: what a part holds. */
export interface PartResource {
  /** `v1`, `apps/v1`: what the objects' `apiVersion` says. */
  readonly apiVersion: string;
  readonly kind: string;
  /** The plural in paths: `deployments`. */
  readonly resource: string;
  readonly namespaced: boolean;
}

export interface Part extends PartResource {
  /** Relative to the backup's folder. */
  readonly file: string;
  readonly objects: number;
  /** Bytes as stored, and their SHA-256 in hex. */
  readonly size: number;
  readonly sha256: string;
  /** Bytes of all lines. Archives of the first services do not say. */
  readonly uncompressed?: number;
}

/** A claim whose data was saved, and where that is. */
export interface SavedVolume {
  readonly namespace: string;
  readonly claim: string;
  /** The PersistentVolume the claim was bound to. */
  readonly persistentVolume: string;
  /** Empty for a volume that was made by hand in none. */
  readonly storageClass: string;
  /** At least one, each of another kind. A new kind raises the format's version: an older reader could not delete it. */
  readonly data: readonly SnapshotData[];
  /** What a claim is filled from instead; it is a restore that sets it, and not in the manifest. */
  readonly copy?: CopyData;
}

/** Where a volume's data is, by `kind`. */
export type SavedData = SnapshotData | CopyData;

/** A copy in a restic repository. The archive has it in another file: see `copies-file.ts`. */
export interface CopyData {
  readonly kind: "copy";
  /** The restic snapshot's id. */
  readonly snapshotId: string;
  /** Where its files are in that, or, of a block volume, its bytes. */
  readonly path: string;
  readonly mode: "Filesystem" | "Block";
}

/** A CSI snapshot in the storage system. */
export interface SnapshotData {
  readonly kind: "snapshot";
  readonly driver: string;
  readonly snapshotClass: string;
  readonly snapshotHandle: string;
  /** Bytes; null when the driver does not say. */
  readonly restoreSize: number | null;
  /** RFC 3339. */
  readonly snapshotTime: string;
}

/** A volume as manifests of format 1 have it, and the notes of jobs of that time. */
export type FlatVolume = Omit<SavedVolume, "data"> & Omit<SnapshotData, "kind">;

/** The volume as it is written now. */
export function withData(volume: SavedVolume | FlatVolume): SavedVolume {
  if ("data" in volume) return volume;
  const { namespace, claim, persistentVolume, storageClass, ...snapshot } = volume;
  return { namespace, claim, persistentVolume, storageClass, data: [{ kind: "snapshot", ...snapshot }] };
}

export interface SavedMessage {
  readonly level: "warning" | "error";
  readonly namespace: string;
  readonly text: string;
  readonly time: string;
}

export interface Manifest {
  /** One that was read is in the present format, whatever it was written in. */
  readonly formatVersion: typeof formatVersion;
  readonly backupCrn: string;
  readonly backupName: string;
  readonly backupJob: string;
  /** How the backup ended: COMPLETED or PARTIALLY_FAILED. */
  readonly state: JobState;
  /** The control plane's main namespace. */
  readonly entity: string;
  readonly includedNamespaces: readonly string[];
  readonly createdTime: string;
  readonly finishedTime: string;
  /** The API server's `gitVersion`. */
  readonly kubernetesVersion: string;
  readonly parts: readonly Part[];
  readonly volumes: readonly SavedVolume[];
  readonly messages: readonly SavedMessage[];
  /** Groups and versions of the API that did not answer: a restore leaves objects of their kinds alone. */
  readonly unavailable?: readonly string[];
}

/** The manifest.json of an encrypted archive. Only `sealed` is authentic; the rest is for people and their tools. */
export interface EncryptedManifest {
  readonly formatVersion: typeof encryptedFormatVersion;
  readonly keyId: string;
  readonly parts: readonly Pick<Part, "file" | "size" | "sha256">[];
  /** The manifest, compressed and then encrypted, in base64. */
  readonly sealed: string;
}
