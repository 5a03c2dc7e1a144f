import { expect, test } from "vitest";
import { Scope } from "../../../../engine/restore/source/scope.ts";

const configMaps = { apiVersion: "v1", resource: "configmaps", namespaced: true };
const namespaces = { apiVersion: "v1", resource: "namespaces", namespaced: false };

test("an object goes to the namespace that its own one is mapped to, and so does the namespace itself", () => {
  const scope = Scope.of(["cdp", "vault-system"], { selection: { what: "all" }, mapping: { cdp: "drill" } });
  expect(scope.savedNamespaces).toEqual(["cdp", "vault-system"]);
  expect(scope.targetNamespaces).toEqual(["drill", "vault-system"]);
  const theme = { metadata: { namespace: "cdp", name: "theme" }, data: { a: "b" } };
  expect(scope.placed(configMaps, theme)).toEqual({ ...theme, metadata: { namespace: "drill", name: "theme" } });
  expect(theme.metadata.namespace).toBe("cdp");
  expect(scope.placed(namespaces, { metadata: { name: "cdp" } })).toEqual({ metadata: { name: "drill" } });
  const unseal = { metadata: { namespace: "vault-system", name: "unseal" } };
  expect(scope.placed(configMaps, unseal)).toBe(unseal);
});

test("objects of namespaces that are not in the scope are not", () => {
  const scope = new Scope(new Map([["cdp", "cdp"]]));
  expect(scope.has(configMaps, { namespace: "cdp", name: "theme" })).toBe(true);
  expect(scope.has(configMaps, { namespace: "vault-system", name: "theme" })).toBe(false);
  expect(scope.has(namespaces, { name: "vault-system" })).toBe(false);
});
