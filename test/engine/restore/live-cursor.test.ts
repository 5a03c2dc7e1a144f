import { expect, test } from "vitest";
import type { Cluster } from "../../../engine/kubernetes/cluster.ts";
import { LiveCursor } from "../../../engine/restore/compare/live-cursor.ts";
import type { ServedType } from "../../../engine/kinds/served-types.ts";

const configMaps = { apiVersion: "v1", kind: "ConfigMap", resource: "configmaps", namespaced: true, hasStatus: false };
const widgets = {
  apiVersion: "example.com/v1",
  kind: "Widget",
  resource: "widgets",
  namespaced: true,
  hasStatus: false,
};
const { signal } = new AbortController();

function bytesOf(name: string): Buffer {
  return Buffer.from(JSON.stringify({ metadata: { name, namespace: "cdp" } }));
}

/** A cursor over objects that are listed in this order, and the names that the cluster was asked for one by one. */
function clusterWith(listed: readonly string[], type: ServedType = configMaps) {
  const asked: string[] = [];
  const cluster = {
    async *listRaw() {
      for (const name of listed) yield [bytesOf(name)];
    },
    async getRaw(_type: unknown, _namespace: string, name: string) {
      asked.push(name);
      return listed.includes(name) ? bytesOf(name) : undefined;
    },
  } as unknown as Cluster;
  return { cursor: new LiveCursor({ cluster, type, namespace: "cdp", signal }), asked };
}

/** Which of some names are there, asked for one after the other. */
async function found(cursor: LiveCursor, names: readonly string[]): Promise<readonly string[]> {
  const there: string[] = [];
  for (const name of names) if ((await cursor.find(name))?.metadata.name === name) there.push(name);
  await cursor.close();
  return there;
}

test("objects that are asked for in the order of a list are found by that list alone, and what it lacks is not there", async () => {
  const { cursor, asked } = clusterWith(["a", "b", "d", "e"]);
  expect(await found(cursor, ["a", "c", "d", "f"])).toEqual(["a", "d"]);
  expect(asked).toEqual([]);
});

test("an object that is asked for out of order is found by a request of its own", async () => {
  const { cursor, asked } = clusterWith(["a", "b", "c"]);
  expect(await found(cursor, ["b", "a", "c"])).toEqual(["b", "a", "c"]);
  expect(asked).toEqual(["a"]);
});

test("no object of a kind that may be served in any order is missed", async () => {
  const { cursor } = clusterWith(["c", "a", "b"], widgets);
  expect(await found(cursor, ["a", "b", "c", "d"])).toEqual(["a", "b", "c"]);
});
