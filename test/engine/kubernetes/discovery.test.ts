import { expect, test } from "vitest";
import { resourceName } from "../../../engine/kubernetes/kubernetes-object.ts";
import { apiServer, noSignal, reply, status } from "./api-server.ts";

const verbs = ["create", "delete", "get", "list"];
const resource = (name: string, kind: string) => ({ name, kind, namespaced: true, verbs });
const documents: Readonly<Record<string, unknown>> = {
  "/api/v1": {
    resources: [resource("pods", "Pod"), resource("pods/status", "Pod"), resource("configmaps", "ConfigMap")],
  },
  "/apis": {
    groups: [
      {
        versions: [{ groupVersion: "apps/v2" }, { groupVersion: "apps/v1" }],
        preferredVersion: { groupVersion: "apps/v1" },
      },
      { versions: [{ groupVersion: "metrics.example/v1" }] },
    ],
  },
  "/apis/apps/v1": { resources: [resource("deployments", "Deployment")] },
  "/apis/apps/v2": { resources: [resource("deployments", "Deployment"), resource("rollouts", "Rollout")] },
};

test("each kind is found once, in its preferred version, and an API that does not answer is named", async () => {
  const { cluster } = await apiServer(({ path }, response) => {
    const document = documents[path];
    if (document) reply(response, 200, document);
    else reply(response, 404, status(404, "NotFound", "the server could not find the requested resource"));
  });
  const discovery = await cluster.discover(noSignal);
  expect(discovery.resources.map((type) => `${resourceName(type)} ${type.apiVersion} ${type.hasStatus}`)).toEqual([
    "pods v1 true",
    "configmaps v1 false",
    "deployments.apps apps/v1 false",
    "rollouts.apps apps/v2 false",
  ]);
  expect(discovery.unavailable).toEqual(["metrics.example/v1"]);
  expect(discovery.versionsOf("deployments.apps")).toEqual(["apps/v1", "apps/v2"]);
  expect(discovery.versionsOf("pods.metrics.example")).toEqual([]);
});

test("a custom resource is found in the version in which it is stored", async () => {
  const served = { resources: [resource("widgets", "Widget")] };
  const documents: Readonly<Record<string, unknown>> = {
    "/api/v1": {},
    "/apis": { groups: [{ versions: [{ groupVersion: "example.com/v2" }, { groupVersion: "example.com/v1" }] }] },
    "/apis/example.com/v2": served,
    "/apis/example.com/v1": served,
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com": {
      spec: {
        group: "example.com",
        versions: [
          { name: "v2", storage: false },
          { name: "v1", storage: true },
        ],
      },
    },
  };
  const { cluster } = await apiServer(({ path }, response) => reply(response, 200, documents[path]));
  const discovery = await cluster.discover(noSignal);
  expect(discovery.resources).toMatchObject([{ apiVersion: "example.com/v1", resource: "widgets" }]);
  expect(discovery.versionsOf("widgets.example.com")).toEqual(["example.com/v1", "example.com/v2"]);
});

test("the kinds of an API server that is started again while it is asked are all there", async () => {
  let asked = 0;
  const { cluster } = await apiServer(({ path }, response) => {
    if (path === "/readyz") reply(response, 200, "");
    // Ready was the one before, and this is its successor, which has just begun.
    else if (path === "/apis") reply(response, 200, ++asked === 1 ? { groups: [] } : documents[path]);
    else if (documents[path]) reply(response, 200, documents[path]);
    else reply(response, 404, status(404, "NotFound", "the server could not find the requested resource"));
  });
  const { resources } = await cluster.discover(noSignal);
  expect(resources.map(resourceName)).toContain("deployments.apps");
});

test("an API server that has just started is asked for its kinds when it is ready", async () => {
  let starting = 3;
  const { cluster } = await apiServer(({ path }, response) => {
    if (path === "/readyz") reply(response, --starting > 0 ? 500 : 200, "");
    else if (path === "/apis") reply(response, 200, starting > 0 ? { groups: [] } : documents[path]);
    else if (documents[path]) reply(response, 200, documents[path]);
    else reply(response, 404, status(404, "NotFound", "the server could not find the requested resource"));
  });
  const { resources } = await cluster.discover(noSignal);
  expect(resources.map(resourceName)).toContain("deployments.apps");
});
