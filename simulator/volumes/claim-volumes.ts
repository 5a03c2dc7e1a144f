import { notFound } from "../objects/api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { Claim, Volume } from "../objects/kinds.ts";
import { builtIn } from "../objects/registry.ts";
import type { Files } from "./volume-data.ts";

const claims = builtIn("persistentvolumeclaims");
const volumes = builtIn("persistentvolumes");

/** The files on the volumes that claims are bound to: what a pod would see in its mount. */
export class ClaimVolumes {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** The paths of a claim's files, sorted. Throws while the claim is not bound, as all of these do. */
  list(namespace: string, claim: string): readonly string[] {
    return [...this.#files(namespace, claim).keys()].sort();
  }

  read(namespace: string, claim: string, path: string): Buffer {
    const bytes = this.#files(namespace, claim).get(path);
    if (bytes === undefined) throw new Error(`no file ${path} on the volume of claim ${namespace}/${claim}`);
    return Buffer.from(bytes);
  }

  write(namespace: string, claim: string, path: string, bytes: Uint8Array | string): void {
    this.#files(namespace, claim).set(path, Buffer.from(bytes as string));
  }

  remove(namespace: string, claim: string, path: string): void {
    this.#files(namespace, claim).delete(path);
  }

  /** From now on the driver makes no volume for this node. */
  fillNode(name: string): void {
    this.#cluster.data.fullNodes.add(name);
  }

  /** From now on the driver takes so long to fill a volume from a snapshot. */
  slowDown(milliseconds: number): void {
    this.#cluster.data.fillTimeMs = milliseconds;
  }

  /** Whether the driver is filling any. */
  get areFilling(): boolean {
    return this.#cluster.data.filling.size > 0;
  }

  /** The handles of all volumes that the storage holds, also of those that no object names any more. */
  volumeHandles(): readonly string[] {
    return [...this.#cluster.data.volumes.keys()];
  }

  /** Puts an empty volume into the storage as if somebody had made it by hand. */
  addVolume(handle: string): void {
    this.#cluster.data.createVolume(handle);
  }

  /** Puts a snapshot into the storage as if another cluster had taken it. */
  addSnapshot(handle: string, files: Readonly<Record<string, string>>): void {
    const bytes = Object.entries(files).map(([path, text]) => [path, Buffer.from(text)] as const);
    this.#cluster.data.takeSnapshot(handle, new Map(bytes), 0);
  }

  /** Takes all snapshots out of the storage, as when it is lost. */
  loseSnapshots(): void {
    this.#cluster.data.snapshots.clear();
  }

  snapshotHandles(): readonly string[] {
    return [...this.#cluster.data.snapshots.keys()];
  }

  #files(namespace: string, name: string): Files {
    const { store, data } = this.#cluster;
    const claim = store.get<Claim>(claims, `${namespace}/${name}`);
    if (claim === undefined) throw notFound(claims, name);
    const volume = store.get<Volume>(volumes, `/${claim.spec?.volumeName ?? ""}`);
    const files = data.volumes.get(volume?.spec?.csi?.volumeHandle ?? "");
    if (claim.status?.phase !== "Bound" || files === undefined)
      throw new Error(`claim ${namespace}/${name} is not bound`);
    return files;
  }
}
