import { ArchiveWriter } from "../../../engine/archive/archive-writer.ts";
import { formatVersion, type Manifest, type Part, type PartResource } from "../../../engine/archive/format.ts";
import type { ArchiveEncryption } from "../../../engine/encryption/archive-encryption.ts";
import { EncryptionKey, KeyRing } from "../../../engine/encryption/key-ring.ts";
import type { ArchiveStorage } from "../../../engine/storage/archive-storage.ts";

/** A key for tests: the same for the same name. */
export function keyOf(id: string, secret = id): EncryptionKey {
  return new EncryptionKey(id, Buffer.alloc(32, secret));
}

/** What a service has whose first key is the first of these. */
export function encryptionWith(first: EncryptionKey, ...older: readonly EncryptionKey[]): ArchiveEncryption {
  return { keys: new KeyRing(first, ...older), readsUnencrypted: false };
}

export const configMaps: PartResource = {
  apiVersion: "v1",
  kind: "ConfigMap",
  resource: "configmaps",
  namespaced: true,
};
export const deployments: PartResource = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  resource: "deployments",
  namespaced: true,
};

export async function* stream(objects: Iterable<string | Buffer>): AsyncGenerator<Buffer> {
  for (const object of objects) yield Buffer.from(object);
}

export function manifestOf(uuid: string, parts: readonly Part[]): Manifest {
  return {
    formatVersion,
    backupCrn: `crn:altus:drs:us-west-1:account:backup:${uuid}`,
    backupName: "nightly",
    backupJob: `backup-${uuid}`,
    state: "COMPLETED",
    entity: "cdp",
    includedNamespaces: ["cdp", "vault-system"],
    createdTime: "2026-11-23T17:29:44.000Z",
    finishedTime: "2026-11-23T17:30:44.000Z",
    kubernetesVersion: "v1.35.4",
    parts,
    volumes: [
      {
        namespace: "cdp",
        claim: "data-cdp-embedded-db-0",
        persistentVolume: "pvc-1",
        storageClass: "standard",
        data: [
          {
            kind: "snapshot",
            driver: "csi.example.com",
            snapshotClass: "snapshots",
            snapshotHandle: "snap-1",
            restoreSize: null,
            snapshotTime: "2026-11-23T17:30:00Z",
          },
        ],
      },
    ],
    messages: [{ level: "warning", namespace: "cdp", text: "some warning", time: "2026-11-23T17:30:00Z" }],
  };
}

/** Writes a whole archive `backups/<uuid>` with two parts of some objects, encrypted if there are keys. */
export async function writeArchive(
  storage: ArchiveStorage,
  uuid: string,
  objects = 50,
  keys?: KeyRing,
): Promise<Manifest> {
  const { signal } = new AbortController();
  const writer = new ArchiveWriter(storage, `backups/${uuid}`, keys);
  const parts: Part[] = [];
  for (const resource of [configMaps, deployments]) {
    const lines = Array.from({ length: objects }, (_, i) =>
      JSON.stringify({
        metadata: { name: `${resource.resource}-${uuid}-${i}` },
        data: { key: Math.sin(i).toString() },
      }),
    );
    const part = await writer.writePart(resource, stream(lines), signal);
    if (part !== null) parts.push(part);
  }
  const manifest = manifestOf(uuid, parts);
  await writer.writeManifest(manifest, signal);
  return manifest;
}
