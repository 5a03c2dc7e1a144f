import type { TestCluster } from "../support/cluster.ts";
import { commandOf } from "../support/programs.ts";

/** Where the API servers tell one another up to which revision etcd has been compacted. */
const compactRevisionKey = "compact_rev_key";

/**
 * Lets etcd forget everything before now, as the API server does it every five minutes.
 *
 * The API server takes up to 15 s to forget, too, what its cache still has of it.
 * https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/
 */
export async function compactEtcd(cluster: TestCluster): Promise<void> {
  const flags = await commandOf(cluster, "etcd");
  const url = flags[flags.indexOf("--listen-client-urls") + 1];
  const { revision } = (await post("kv/range", { key: base64(compactRevisionKey) })).header;
  await post("kv/put", { key: base64(compactRevisionKey), value: base64(revision) });
  await post("kv/compaction", { revision, physical: true });

  async function post(call: string, body: object): Promise<{ header: { revision: string } }> {
    const response = await fetch(`${url}/v3/${call}`, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`etcd: ${call}: ${response.status} ${await response.text()}`);
    return (await response.json()) as { header: { revision: string } };
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
