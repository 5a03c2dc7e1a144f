import type { Cluster } from "../../kubernetes/cluster.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import { hasStatus } from "../../kubernetes/kubernetes-error.ts";
import { resourceName } from "../../kubernetes/kubernetes-object.ts";
import type { ScopedArchive } from "../source/restore-source.ts";
import { type ServedType, servedType } from "../../kinds/served-types.ts";

/** The existing ones among archived objects: the names of a kind in a namespace are requested once. */
export class LiveNames {
  readonly #archive: ScopedArchive;
  readonly #cluster: Cluster;
  readonly #types: ReadonlyMap<string, ServedType | undefined>;
  readonly #signal: AbortSignal;
  readonly #names = new Map<string, Promise<ReadonlySet<string>>>();

  constructor(archive: ScopedArchive, cluster: Cluster, discovery: Discovery, signal: AbortSignal) {
    this.#archive = archive;
    this.#cluster = cluster;
    this.#signal = signal;
    this.#types = new Map(archive.reader.parts.map((part) => [resourceName(part), servedType(discovery, part)]));
  }

  /** Whether there is an object in the place of an archived one, which is given by its `objectKey`. */
  async has(key: string): Promise<boolean> {
    const [resource = "", saved = "", name = ""] = key.split("/");
    const type = this.#types.get(resource);
    if (!type) return false;
    if (saved === "") {
      const metadata = this.#archive.scope.placedMetadata(type, { name });
      return (await this.#cluster.get(type, "", metadata.name, this.#signal)) !== undefined;
    }
    const namespace = this.#archive.scope.targetOf(saved) ?? saved;
    const place = `${resource}/${namespace}`;
    const names = this.#names.get(place) ?? this.#list(type, namespace);
    this.#names.set(place, names);
    return (await names).has(name);
  }

  async #list(type: ServedType, namespace: string): Promise<ReadonlySet<string>> {
    const names = new Set<string>();
    try {
      for await (const { metadata } of this.#cluster.listMetadata(type, namespace, this.#signal))
        names.add(metadata.name);
    } catch (error) {
      if (!hasStatus(error, 404, 405)) throw error;
    }
    return names;
  }
}
