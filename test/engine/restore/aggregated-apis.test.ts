import { expect, test } from "vitest";
import { Scene, texts } from "../simulated-control-plane.ts";

const apiServices = "/apis/apiregistration.k8s.io/v1/apiservices";
const apiService = (name: string, namespace: string) => ({
  apiVersion: "apiregistration.k8s.io/v1",
  kind: "APIService",
  metadata: { name: `v1.${name}`, labels: { of: "the-control-plane" } },
  spec: {
    group: name,
    version: "v1",
    groupPriorityMinimum: 100,
    versionPriority: 100,
    service: { namespace, name: "adapter", port: 443 },
  },
});
const names = ["v1.elsewhere.example.com", "v1.ours.example.com"];

/** Restores while a namespace is held by aggregated APIs until nothing but those of others can hold it. */
async function restoreHeld(scene: Scene, backupCrn: string, fails: boolean) {
  let isHeld = true;
  const seen: (readonly string[])[] = [];
  const message =
    "Discovery failed for some groups, 2 failing: ours.example.com/v1: stale, elsewhere.example.com/v1: stale";
  scene.simulator.intercept(({ method, path, query }) => {
    if (method === "DELETE" && path.startsWith(apiServices)) isHeld = false;
    if (fails && query.has("dryRun")) return { status: 422, body: { kind: "Status", message: "not valid any more" } };
    if (method !== "GET" || path !== "/api/v1/namespaces" || query.get("fieldSelector") !== "metadata.name=cdp")
      return undefined;
    if (query.has("watch")) return { status: 410, body: { kind: "Status", reason: "Expired", message: "too old" } };
    const status = { conditions: [{ type: "NamespaceDeletionDiscoveryFailure", status: "True", message }] };
    const held = { metadata: { name: "cdp", uid: "1", deletionTimestamp: "2026-01-01T00:00:00Z" }, status };
    const items = isHeld ? [held] : []; // it has gone before anybody looks again
    return { status: 200, body: { kind: "NamespaceList", metadata: { resourceVersion: "1" }, items } };
  });
  const crn = await scene.startRestore(backupCrn);
  await scene.until(async () => scene.engine.getLogs(crn).includes("took APIService"));
  seen.push(await scene.names(apiServices));
  return { ...(await scene.restored(crn)), seen };
}

test.each([
  { what: "that is in the backup", isSaved: true, fails: false },
  { what: "that is newer than the backup", isSaved: false, fails: false },
  { what: "of a restore that fails before it touches anything", isSaved: false, fails: true },
])("an aggregated API $what goes when it holds a namespace, and comes back", async ({ isSaved, fails }) => {
  const scene = await Scene.open();
  await scene.create(apiServices, apiService("elsewhere.example.com", "elsewhere"));
  const make = () => scene.create(apiServices, apiService("ours.example.com", "cdp"));
  if (isSaved) await make();
  const { crn } = await scene.backup();
  if (!isSaved) await make();
  const restore = await restoreHeld(scene, crn, fails);
  expect(texts(restore.errors).map((text) => text.includes("not valid any more"))).toEqual(fails ? [true] : []);
  expect(restore.seen).toEqual([["v1.elsewhere.example.com"]]);
  expect(await scene.names(apiServices)).toEqual(names);
  const { metadata, spec } = await scene.get(`${apiServices}/v1.ours.example.com`);
  expect({ labels: metadata.labels, spec }).toEqual({
    labels: { of: "the-control-plane" },
    spec: apiService("ours.example.com", "cdp").spec,
  });
});

const condition = (type: string, message: string) => [{ type, status: "True", message }];
const failure = (why: string) =>
  condition("NamespaceDeletionDiscoveryFailure", `1 failing: gone.example.com/v1: ${why}`);

test("a namespace that nothing holds any more is waited for until its controller finds that out, and then to its end", async () => {
  const scene = await Scene.open({ limits: { finalizerTimeout: 1_000 } });
  const { crn } = await scene.backup();
  const states = [
    { ms: 1_300, conditions: failure("stale GroupVersion discovery") },
    { ms: 300, conditions: failure("the server is currently unable to handle the request") },
    { ms: 300, conditions: condition("NamespaceContentRemaining", "pods. has 1 resource instances") },
  ];
  let since = 0;
  const stateNow = () => {
    let ms = Date.now() - since;
    return states.find((state) => (ms -= state.ms) < 0);
  };
  scene.simulator.intercept(({ method, path, query }) => {
    if (method !== "GET" || path !== "/api/v1/namespaces" || query.get("fieldSelector") !== "metadata.name=cdp")
      return undefined;
    since ||= Date.now();
    const state = stateNow();
    if (state === undefined) return undefined;
    if (query.has("watch")) return { status: 410, body: { kind: "Status", reason: "Expired", message: "too old" } };
    const metadata = { name: "cdp", uid: "1", deletionTimestamp: "2026-01-01T00:00:00Z" };
    const items = [{ metadata, status: { conditions: state.conditions } }];
    return { status: 200, body: { kind: "NamespaceList", metadata: { resourceVersion: "1" }, items } };
  });
  const restore = await scene.restore(crn);
  expect(texts([...restore.errors, ...restore.warnings])).toEqual([]);
  expect({ isHeld: since > 0, state: stateNow() }).toEqual({ isHeld: true, state: undefined });
});

test("a namespace that two dead APIs hold by turns is waited for once for each, and no longer", async () => {
  const scene = await Scene.open({ limits: { finalizerTimeout: 1_000 } });
  const { crn } = await scene.backup();
  const groups = ["elsewhere.example.com", "other.example.com"];
  const status = { conditions: [{ type: "Available", status: "False" }] };
  for (const group of groups) await scene.create(apiServices, { ...apiService(group, "elsewhere"), status });
  let asked = 0;
  scene.simulator.intercept(({ method, path, query }) => {
    if (method !== "GET" || path !== "/api/v1/namespaces" || query.get("fieldSelector") !== "metadata.name=cdp")
      return undefined;
    if (query.has("watch")) return { status: 410, body: { kind: "Status", reason: "Expired", message: "too old" } };
    const message = `1 failing: ${groups[asked++ % 2]}/v1: stale GroupVersion discovery`;
    const metadata = { name: "cdp", uid: "1", deletionTimestamp: "2026-01-01T00:00:00Z" };
    const items = [{ metadata, status: { conditions: condition("NamespaceDeletionDiscoveryFailure", message) } }];
    return { status: 200, body: { kind: "NamespaceList", metadata: { resourceVersion: "1" }, items } };
  });
  const restore = await scene.restore(crn);
  expect(texts(restore.errors)).toEqual([
    expect.stringMatching(
      /^namespace cdp is still being deleted after [\d.]+ s: 1 failing: \w+\.example\.com\/v1: stale/,
    ),
  ]);
});

test("what did not answer when the backup was made is left alone by a restore, as nobody knows what there was", async () => {
  const scene = await Scene.open();
  const path = "/apis/platform.cdp.example/v1/namespaces/cdp/environments";
  const environments = async () => {
    const { items } = (await scene.client.request("GET", path)) as { items: { metadata: object }[] };
    return items.map(({ metadata }) => metadata);
  };
  const before = await environments();
  const away = { status: 404, body: { kind: "Status", reason: "NotFound", message: "not found" } };
  let isAway = true;
  const forbidden = { status: 403, body: { kind: "Status", reason: "Forbidden", message: "nobody may" } };
  scene.simulator.intercept(({ method, path: asked }) => {
    if (method === "DELETE" && asked.startsWith(path)) return forbidden; // it is not even tried
    return isAway && asked === "/apis/platform.cdp.example/v1" ? away : undefined;
  });
  const { crn, warnings } = await scene.backup();
  expect(texts(warnings)).toEqual([expect.stringContaining("the API platform.cdp.example/v1 does not answer")]);
  isAway = false;
  const { errors } = await scene.restore(crn);
  expect(texts(errors)).toEqual([]);
  expect(before).not.toEqual([]);
  expect(await environments()).toEqual(before);
});
