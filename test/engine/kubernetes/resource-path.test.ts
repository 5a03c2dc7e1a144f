import { expect, test } from "vitest";
import { resourcePath } from "../../../engine/kubernetes/kubernetes-object.ts";

test("an object without a name is never taken for its whole collection", () => {
  const configMaps = { apiVersion: "v1", resource: "configmaps" };
  expect(resourcePath(configMaps, "cdp")).toBe("/api/v1/namespaces/cdp/configmaps");
  expect(() => resourcePath(configMaps, "cdp", "")).toThrow("a request for one of the configmaps names none");
});
