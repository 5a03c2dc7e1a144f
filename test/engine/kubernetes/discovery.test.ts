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
  const { cluster } = await apiServer(({ path }, response) => reply(response, 200, documents[path] ?? {}));
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

const apiServices = "/apis/apiregistration.k8s.io/v1/apiservices";
const apiService = (apiVersion: string, available?: "True" | "False") => {
  const [group, version] = apiVersion.split("/");
  return {
    spec: { group, version, ...(available && { service: { namespace: "n", name: "s" } }) },
    ...(available && { status: { conditions: [{ type: "Available", status: available }] } }),
  };
};
const groupsOf = (...apiVersions: readonly string[]) => ({
  groups: apiVersions.map((groupVersion) => ({ versions: [{ groupVersion }] })),
});
const things = { resources: [resource("things", "Thing")] };

test("an aggregated API whose APIService says that it is down is named and not asked", async () => {
  const answers: Readonly<Record<string, unknown>> = {
    "/api/v1": documents["/api/v1"],
    "/apis": groupsOf("example.com/v1", "down.example.com/v1", "up.example.com/v1"),
    "/apis/example.com/v1": things,
    "/apis/up.example.com/v1": things,
    [apiServices]: {
      items: [
        apiService("example.com/v1"),
        apiService("down.example.com/v1", "False"),
        apiService("up.example.com/v1", "True"),
      ],
    },
  };
  const { cluster, asked } = await apiServer(({ path }, response) => {
    const answer = answers[path];
    if (answer) reply(response, 200, answer);
    else reply(response, 404, status(404, "NotFound", "the server could not find the requested resource"));
  });
  const discovery = await cluster.discover(noSignal);
  expect(discovery.unavailable).toEqual(["down.example.com/v1"]);
  expect(asked.map(({ path }) => path)).not.toContain("/apis/down.example.com/v1");
  expect(discovery.resources.map(resourceName)).toEqual([
    "pods",
    "configmaps",
    "things.example.com",
    "things.up.example.com",
  ]);
  expect(discovery.serverOf("up.example.com/v1")).toEqual({ namespace: "n", name: "s" });
  expect(discovery.serverOf("example.com/v1")).toBeUndefined();
});

test.each([
  { may: "may look at APIServices", list: 200, groups: ["a.example.com/v1", "b.example.com/v1", "metrics.k8s.io/v1"] },
  { may: "may not look at APIServices", list: 403, groups: ["a.example.com/v1", "metrics.k8s.io/v1"] },
])(
  "aggregated APIs that do not answer cost five seconds together, where the account $may",
  async ({ list, groups }) => {
    const items = groups.map((apiVersion) => apiService(apiVersion, "True"));
    let isFirst = true;
    const { cluster } = await apiServer(({ path }, response) => {
      if (path === "/api/v1") reply(response, 200, documents[path]);
      else if (path === "/apis") reply(response, 200, groupsOf("apps/v1", ...groups));
      else if (path === apiServices)
        reply(response, list, list === 200 ? { items } : status(403, "Forbidden", 'forbidden: User "u" cannot list'));
      else if (path === "/apis/apps/v1" && isFirst) {
        isFirst = false; // its own groups are asked for until they answer
        reply(response, 503, status(503, "ServiceUnavailable", "not yet"));
      } else if (path === "/apis/apps/v1") reply(response, 200, documents[path]);
      else if (path === "/apis/metrics.k8s.io/v1")
        reply(response, 503, status(503, "ServiceUnavailable", "no endpoints"));
      else if (path !== "/apis/a.example.com/v1") reply(response, 401, status(401, "Unauthorized", "who are you"));
    });
    const start = Date.now();
    const { unavailable, resources } = await cluster.discover(noSignal);
    expect(unavailable).toEqual(groups);
    expect(resources.map(resourceName)).toEqual(["pods", "configmaps", "deployments.apps"]);
    expect(Date.now() - start).toBeLessThan(7_500);
  },
);
