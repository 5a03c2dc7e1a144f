import { createHash } from "node:crypto";
import { type Dirent } from "node:fs";
import { lstat, readFile, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "./cluster.ts";
import { apiPath } from "./kubernetes-client.ts";

export const claims = { apiVersion: "v1", resource: "persistentvolumeclaims" };
export const volumes = { apiVersion: "v1", resource: "persistentvolumes" };

/** The folder that is a bound claim's volume: where its pods' files lie. */
export async function claimFolder(cluster: TestCluster, namespace: string, claim: string): Promise<string> {
  const { spec } = await cluster.kubernetes.get(apiPath(claims, namespace, claim));
  if (!spec.volumeName) throw new Error(`claim ${namespace}/${claim} is not bound`);
  const volume = await cluster.kubernetes.get(apiPath(volumes, undefined, spec.volumeName));
  return join(cluster.storageFolder, "volumes", volume["spec"].csi.volumeHandle);
}

/** What is in a folder, at any depth: path to type, mode, and content (its SHA-256, or a link's target). */
export async function treeDigest(folder: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    found.set(path.slice(folder.length + 1), await digest(entry, path));
  }
  return found;
}

async function digest(entry: Dirent, path: string): Promise<string> {
  if (entry.isSymbolicLink()) return `link to ${await readlink(path)}`;
  const mode = ((await lstat(path)).mode & 0o7777).toString(8);
  if (entry.isDirectory()) return `folder ${mode}`;
  const sha256 = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  return `file ${mode} ${sha256}`;
}

/** Every file of every bound claim of the namespaces: `namespace/claim: path` to what `treeDigest` says of it. */
export async function takeVolumePicture(
  cluster: TestCluster,
  namespaces: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const picture = new Map<string, string>();
  for (const namespace of namespaces) {
    for (const claim of await cluster.kubernetes.list(apiPath(claims, namespace))) {
      if (!claim["spec"].volumeName) continue;
      const { name } = claim.metadata;
      const tree = await treeDigest(await claimFolder(cluster, namespace, name));
      for (const [path, digest] of tree) picture.set(`${namespace}/${name}: ${path}`, digest);
    }
  }
  return picture;
}

/** One line for each file that is missing, new or different. */
export function compareVolumes(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths.flatMap((path) => {
    const [was, is] = [before.get(path), after.get(path)];
    if (was === is) return [];
    return [`${path}: ${was === undefined ? "new" : is === undefined ? "missing" : `was ${was}, is ${is}`}`];
  });
}
