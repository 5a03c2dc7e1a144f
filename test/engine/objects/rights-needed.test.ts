import { expect, test } from "vitest";
import type { Access } from "../../../simulator/http/reviews.ts";
import { Scene, texts } from "../simulated-control-plane.ts";

const deployment = "/apis/apps/v1/namespaces/cdp/deployments/cdp-api";
const environments = "environments.platform.cdp.example";

test("every right that jobs use is asked for before they touch anything, and named when it is missing", async () => {
  const asked = new Set<string>();
  let isAllowed = true;
  const scene = await Scene.open({
    limits: { appsStartTimeout: 700 },
    statusOf: [environments],
    isAllowed: (access) => {
      if (access.verb === "*") return false;
      asked.add(inWords(access));
      return isAllowed;
    },
  });
  const used = new Set<string>();
  let isFailing = false;
  scene.simulator.intercept(({ method, path, query }) => {
    const right = rightFor(method, path, query);
    if (right !== undefined) used.add(right);
    const isRefused = isFailing && method === "PATCH" && path === deployment;
    return isRefused ? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "not now" } } : undefined;
  });
  const { crn } = await scene.backup();
  await scene.restore(crn);
  isFailing = true; // and cannot be stopped, so that the restore rolls back
  expect((await scene.restore(crn)).state).toBe("FAILED");
  isFailing = false;
  await scene.startDeletion((await scene.backup()).crn);
  await scene.until(() => scene.archives("backups").length === 1);
  expect([...used.difference(asked)]).toEqual([]);
  for (const kind of ["jobs.batch", environments]) expect(asked).toContain(`patch ${kind}/status in cdp`);

  isAllowed = false;
  for (const { errors } of [await scene.backup(), await scene.restore(crn)]) {
    const [text = ""] = texts(errors);
    for (const missing of text.slice(text.indexOf(": ") + 2).split("; ")) {
      const [, verbs = "", kinds = "", where = ""] = /^((?:\w+, )*\w+) ((?:\S+, )*\S+)( in \S+)?$/.exec(missing) ?? [];
      for (const verb of verbs.split(", "))
        for (const kind of kinds.split(", ")) asked.delete(`${verb} ${kind}${where}`);
    }
  }
  // Looked through for what Helm releases have installed, where the account may.
  for (const verb of ["get", "list"]) asked.delete(`${verb} csidrivers.storage.k8s.io`);
  expect([...asked]).toEqual([]);
});

test("what takes part in hooks is asked for where there are hooks", async () => {
  const scene = await Scene.open({ isAllowed: ({ verb, subresource }) => verb !== "*" && subresource !== "exec" });
  expect((await scene.backup()).errors).toEqual([]);
  const annotations = { "pre.hook.backup.velero.io/command": '["sync"]' };
  const spec = { containers: [{ name: "main" }] };
  await scene.create("/api/v1/namespaces/cdp/pods", { metadata: { name: "hooked", annotations }, spec });
  const { errors } = await scene.backup();
  expect(texts(errors)).toEqual([
    "the service's account lacks rights that a backup needs: create, get pods/exec in cdp; create, get pods/exec in vault-system",
  ]);
});

/**
 * What a request takes, in the words of the service. Undefined for what everyone may, and for a look into all namespaces: the
 * service does without it where it may not. https://kubernetes.io/docs/reference/access-authn-authz/authorization/
 */
function rightFor(method: string, path: string, query: URLSearchParams): string | undefined {
  const [, group = "", rest = ""] = /^\/(?:api|apis\/([^/]+))\/v\w+\/(.+)$/.exec(path) ?? [];
  const [, namespace = "", inNamespace] = /^namespaces\/([^/]+)\/(.+)$/.exec(rest) ?? [];
  const [resource = "", name, subresource] = (inNamespace ?? rest).split("/");
  if (resource === "" || resource.startsWith("selfsubject")) return undefined;
  const reading = name !== undefined ? "get" : query.get("watch") === "true" ? "watch" : "list";
  if (reading === "list" && namespace === "" && !clusterScoped.has(resource)) return undefined;
  const verbs: Readonly<Record<string, string>> = {
    GET: reading,
    POST: "create",
    PUT: "update",
    PATCH: "patch",
    DELETE: "delete",
  };
  const access = { verb: verbs[method] ?? method, group, resource, namespace, user: "" };
  return inWords(subresource === undefined ? access : { ...access, subresource });
}

const clusterScoped = new Set([
  "namespaces",
  "persistentvolumes",
  "storageclasses",
  "volumesnapshotcontents",
  "volumesnapshotclasses",
  "clusterrolebindings",
  "validatingwebhookconfigurations",
  "mutatingwebhookconfigurations",
  "apiservices",
]);

function inWords({ verb, group, resource, subresource, namespace }: Access): string {
  const kind = `${String(resource)}${group ? `.${group}` : ""}${subresource ? `/${subresource}` : ""}`;
  return `${String(verb)} ${kind}${namespace ? ` in ${namespace}` : ""}`;
}
