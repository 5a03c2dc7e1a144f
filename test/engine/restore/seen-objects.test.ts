import { expect, test } from "vitest";
import { SeenObjects } from "../../../engine/restore/compare/seen-objects.ts";
import { RawObject } from "../../../engine/kubernetes/raw-object.ts";

const configMaps = { apiVersion: "v1", kind: "ConfigMap", resource: "configmaps", namespaced: true, hasStatus: false };

function configMap(name: string, value = "x"): RawObject {
  const metadata = { name, namespace: "cdp", uid: `uid-of-${name}`, resourceVersion: "1" };
  return new RawObject(Buffer.from(JSON.stringify({ metadata, data: { value } })));
}

/** What a list of these has shown, where `same` and `changed` are saved, the first as it is. */
function seen(...listed: readonly RawObject[]): SeenObjects {
  const saved = {
    type: configMaps,
    digests: new Set([configMap("same").digest]),
    names: new Set(["same", "changed", "too-large"]),
  };
  const objects = new SeenObjects();
  for (const raw of listed) objects.see(configMaps, "cdp", raw, saved);
  return objects;
}

test("what a restore deletes is known when all was listed, and is not what the cluster makes itself", () => {
  const objects = seen(configMap("same"), configMap("changed", "y"), configMap("stray"), configMap("kube-root-ca.crt"));
  expect(objects.unsavedOf(configMaps, "cdp")).toBeUndefined();
  objects.end();
  expect(objects.unsavedOf(configMaps, "cdp")).toEqual([{ name: "stray", uid: "uid-of-stray" }]);
  expect(objects.unsavedOf(configMaps, "other")).toEqual([]);
  expect([...(objects.of(configMaps, "cdp")?.untouched.keys() ?? [])]).toEqual(["same"]);
});

test("of too many objects that were not saved it is not known which they are, and memory does not grow with them", () => {
  const objects = seen(...Array.from({ length: 2_001 }, (_, index) => configMap(`stray-${index}`)));
  objects.end();
  expect(objects.unsavedOf(configMaps, "cdp")).toBeUndefined();
  objects.clear();
  objects.end();
  expect(objects.unsavedOf(configMaps, "cdp")).toEqual([]);
});

test("an object that differs is kept as it is, saying its kind, until too much is", () => {
  const large = "y".repeat(3 * 1_024 * 1_024);
  const objects = seen(configMap("changed", large), configMap("too-large", large), configMap("stray"));
  const kept = objects.rawOf(configMaps, "cdp", "changed")?.object;
  expect(kept).toMatchObject({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "changed" } });
  expect(objects.rawOf(configMaps, "cdp", "too-large")).toBeUndefined();
  expect(objects.rawOf(configMaps, "cdp", "stray")).toBeUndefined();
});
