/**
 * A program: waits until all of a collection of `objects` objects of about `bytes` bytes are gone, which go one by one once
 * they were listed, and prints how many there were. Run as `node large-collection.ts <objects> <bytes>`.
 */
import type { Cluster } from "../../../engine/kubernetes/cluster.ts";
import { waitUntilGone } from "../../../engine/kubernetes/waiting.ts";

const [objects = "", bytes = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const type = { apiVersion: "v1", resource: "configmaps" };

function sighting(index: number, gone: boolean) {
  const text = `{"metadata":{"name":"object-${index}"},"data":"${index}${"x".repeat(Number(bytes))}"}`;
  return { object: JSON.parse(text) as { metadata: { name: string } }, gone };
}

const watch: Cluster["watch"] = async function* () {
  for (let index = 0; index < Number(objects); index++) yield sighting(index, false);
  yield "listed";
  for (let index = 0; index < Number(objects); index++) yield sighting(index, true);
};

let seen = 0;
const wait = { type, namespace: "cdp", timeoutMs: 600_000, signal };
const left = await waitUntilGone({ watch } as Cluster, wait, () => ++seen > 0);
console.log(JSON.stringify({ seen, left: left.length }));
