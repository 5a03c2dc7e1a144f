import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Archives } from "../../../engine/archive/archives.ts";
import type { Manifest, Part, PartResource } from "../../../engine/archive/format.ts";
import { FilesystemArchiveStorage } from "../../../engine/storage/filesystem-archive-storage.ts";
import type { Scene } from "../simulated-control-plane.ts";

const { signal } = new AbortController();

/** What somebody puts into an archive: more objects of a kind, or another manifest. */
export interface Forgery {
  readonly type?: PartResource;
  readonly object?: object;
  readonly manifest?: Partial<Manifest>;
}

const rbac = "rbac.authorization.k8s.io/v1";

export const globally = (apiVersion: string, kind: string, resource: string): PartResource => ({
  apiVersion,
  kind,
  resource,
  namespaced: false,
});
export const bindings = globally(rbac, "ClusterRoleBinding", "clusterrolebindings");
export const everybody = { kind: "Group", name: "system:authenticated" };
export const admin = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" };

const nameOf = ({ apiVersion, resource }: PartResource) => `${apiVersion} ${resource}`;

/** Rewrites an archive, with fitting digests. */
export async function forge(
  from: Archives,
  to: Archives,
  folder: string,
  { type, object, manifest = {} }: Forgery,
): Promise<void> {
  const reader = await from.open(folder, signal);
  const writer = to.writer(folder);
  const resources = new Map<string, PartResource>(reader.parts.map((part) => [nameOf(part), part]));
  if (type) resources.set(nameOf(type), type);
  const parts: Part[] = [];
  for (const [name, resource] of resources) {
    const present = reader.parts.find((part) => nameOf(part) === name);
    const lines = present ? await Array.fromAsync(reader.objects(present, signal)) : [];
    if (resource === type)
      lines.push(Buffer.from(JSON.stringify({ apiVersion: type.apiVersion, kind: type.kind, ...object })));
    const written = await writer.writePart(resource, stream(lines), signal);
    if (written) parts.push(written);
  }
  await writer.writeManifest({ ...reader.manifest, parts, ...manifest }, signal);
}

/** Makes a forgery, which is not encrypted, beside an archive. What it gives puts it into the archive's place, all at once. */
export async function forgeBeside(scene: Scene, folder: string, forgery: Forgery): Promise<() => void> {
  const beside = join(scene.folder, "forged");
  await forge(await scene.openArchives(), new Archives(new FilesystemArchiveStorage(beside)), folder, forgery);
  return () => {
    const place = join(scene.folder, "archives", folder);
    rmSync(place, { recursive: true });
    cpSync(join(beside, folder), place, { recursive: true });
  };
}

async function* stream(lines: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* lines;
}
