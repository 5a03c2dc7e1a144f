import type { TestCluster } from "../support/cluster.ts";
import { commandOf } from "../support/programs.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";

/** The key by which the API servers share the revision up to which etcd has been compacted. */
const compactRevisionKey = "compact_rev_key";

/**
 * Lets etcd forget everything before now, as the API server does it every five minutes.
 *
 * The API server takes up to 15 s to forget, too, what its cache still has of it.
 */
export async function compactEtcd(cluster: TestCluster): Promise<void> {
  const { revision } = (await post(cluster, "kv/range", { key: base64(compactRevisionKey) })).header;
  await post(cluster, "kv/put", { key: base64(compactRevisionKey), value: base64(revision) });
  await post(cluster, "kv/compaction", { revision, physical: true });
}

/** Stores an object as an older API server would have, past the checks of today's. */
export async function storeInEtcd(cluster: TestCluster, resource: string, object: KubernetesObject): Promise<void> {
  const { namespace = "", name } = object.metadata;
  const key = `/registry/${resource}/${namespace}/${name}`;
  await post(cluster, "kv/put", { key: base64(key), value: base64(JSON.stringify(object)) });
}

/** https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/ */
async function post(cluster: TestCluster, call: string, body: object): Promise<{ header: { revision: string } }> {
  const flags = await commandOf(cluster, "etcd");
  const url = flags[flags.indexOf("--listen-client-urls") + 1];
  const response = await fetch(`${url}/v3/${call}`, { method: "POST", body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`etcd: ${call}: ${response.status} ${await response.text()}`);
  return (await response.json()) as { header: { revision: string } };
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
