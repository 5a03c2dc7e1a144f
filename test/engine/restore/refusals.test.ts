import { expect, test } from "vitest";
import type { Cluster } from "../../../engine/kubernetes/cluster.ts";
import type { Discovery } from "../../../engine/kubernetes/discovery.ts";
import { KubernetesError } from "../../../engine/kubernetes/kubernetes-error.ts";
import type { KubernetesObject } from "../../../engine/kubernetes/kubernetes-object.ts";
import { missingDeviceClasses } from "../../../engine/restore/validate/missing-device-classes.ts";
import { Refusals, refusalIn } from "../../../engine/restore/validate/refusals.ts";
import { Scope } from "../../../engine/restore/source/scope.ts";
import type { RestoreSource } from "../../../engine/restore/source/restore-source.ts";
import type { Trial } from "../../../engine/restore/validate/trial.ts";
import { SavedIndex } from "../../../engine/restore/source/saved-index.ts";

const { signal } = new AbortController();

/** An archive of these objects, all of namespace `cdp` or cluster-scoped. */
function archiveOf(
  ...objects: readonly [apiVersion: string, kind: string, resource: string, object: KubernetesObject][]
) {
  const parts = objects.map(([apiVersion, kind, resource, { metadata }]) => ({
    apiVersion,
    kind,
    resource,
    namespaced: metadata.namespace !== undefined,
  }));
  const reader = {
    parts,
    manifest: { includedNamespaces: ["cdp"] },
    async *objects(part: object) {
      for (const [index, [, , , object]] of objects.entries())
        if (parts[index] === part) yield Buffer.from(JSON.stringify(object));
    },
  };
  const scope = new Scope(new Map([["cdp", "cdp"]]));
  const { targetNamespaces } = scope;
  return { reader, scope, targetNamespaces, notesPrefix: "", index: new SavedIndex() } as unknown as RestoreSource;
}

const cluster = {
  async *list({ resource }: { resource: string }) {
    if (resource === "validatingwebhookconfigurations")
      yield {
        metadata: { name: "mixed" },
        webhooks: [
          { name: "own.example.com", clientConfig: { service: { namespace: "cdp", name: "own" } } },
          { name: "other.example.com", clientConfig: { service: { namespace: "kyverno", name: "svc" } } },
        ],
      };
  },
  get: async (_type: object, _namespace: string, name: string) =>
    name === "there" ? { metadata: { name } } : undefined,
} as unknown as Cluster;

const refusal = (status: number, message: string, what = "POST /api/v1/namespaces/cdp/pods") =>
  new KubernetesError(what, status, JSON.stringify({ kind: "Status", message }));

test.each([
  ["held", 422, 'Service "x" is invalid: spec.ports: Required value'],
  ["held", 403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true)'],
  [
    "held",
    403,
    "deployments.apps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
  ],
  [
    "held",
    422,
    "deployments.apps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
  ],
  ["held", 400, 'admission webhook "other.example.com" denied the request: no'],
  ["held", 404, 'admission webhook "other.example.com" denied the request: no such tenant'],
  ["held", 500, 'Internal error occurred: failed calling webhook "other.example.com": connection refused'],
  ["held", 403, 'pods "x" is forbidden: error looking up service account cdp/gone: serviceaccount "gone" not found'],
  ["held", 403, 'pods "x" is forbidden: no PriorityClass with name gone was found'],
  ["passing", 403, 'pods "x" is forbidden: error looking up service account cdp/api: serviceaccount "api" not found'],
  ["passing", 403, 'pods "x" is forbidden: no PriorityClass with name high was found'],
  ["passing", 403, 'admission webhook "own.example.com" denied the request: not now'],
  ["passing", 500, 'Internal error occurred: failed calling webhook "own.example.com": no endpoints available'],
  ["passing", 403, 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'],
  ["passing", 403, 'pods "x" is forbidden: failed quota: q: must specify limits.cpu for: c'],
  ["passing", 403, 'pods "x" is forbidden: maximum memory usage per Pod is 1Gi, but limit is 2Gi'],
  ["passing", 403, 'pods "x" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 3'],
  ["passing", 404, 'namespaces "cdp" not found'],
  ["passing", 409, 'pods "x" already exists'],
  ["passing", 422, 'Service "x" is invalid: spec.clusterIPs: failed to allocate IP: provided IP is already allocated'],
  ["inconclusive", 400, 'admission webhook "other.example.com" does not support dry run'],
  ["passing", 400, 'admission webhook "own.example.com" does not support dry run'],
] as const)("a refusal is %s: %d %s", async (weight, status, message) => {
  const source = archiveOf(
    ["v1", "ServiceAccount", "serviceaccounts", { metadata: { namespace: "cdp", name: "api" } }],
    ["scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", { metadata: { name: "high" } }],
  );
  const refusals = await Refusals.of(source, cluster, signal);
  expect(refusals.weigh(refusal(status, message), "cdp")).toBe(weight);
});

test("who does not take a secret is reported without a word of what it holds", async () => {
  const words =
    "secrets \"s\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: aHVudGVyMg==";
  const error = refusal(422, words, "POST /api/v1/namespaces/cdp/secrets");
  expect(error.message).toContain("ValidatingAdmissionPolicy 'p' with binding 'b' denied");
  expect(error.message).not.toContain("aHVudGVyMg==");
});

test("what is no answer to the one object that was tried is thrown on", async () => {
  const lacking = refusal(403, 'pods is forbidden: User "drs" cannot create resource "pods" in API group ""');
  const down = refusal(503, "the server is currently unable to handle the request");
  for (const error of [lacking, down]) await expect(refusalIn(() => Promise.reject(error))).rejects.toBe(error);
  const denied = refusal(403, "no");
  expect(await refusalIn(() => Promise.reject(denied))).toBe(denied);
});

test("a device class that nobody has is found by the pods that need it, through claims and their templates", async () => {
  const claim = (name: string, deviceClassName: string) =>
    ["resource.k8s.io/v1", "ResourceClaim", "resourceclaims", object(name, requests(deviceClassName))] as const;
  const source = archiveOf(
    [...claim("a", "gone")],
    [...claim("b", "there")],
    [...claim("c", "saved")],
    ["resource.k8s.io/v1", "ResourceClaimTemplate", "resourceclaimtemplates", object("t", { spec: requests("gone") })],
    ["resource.k8s.io/v1", "DeviceClass", "deviceclasses", { metadata: { name: "saved" } }],
  );
  const discovery = {
    versionsOf: () => ["resource.k8s.io/v1"],
    inVersion: () => ({ apiVersion: "resource.k8s.io/v1", resource: "deviceclasses" }),
  } as unknown as Discovery;
  const trial = { source, discovery, deps: { cluster }, signal } as unknown as Trial;
  const missing = await missingDeviceClasses(trial);
  const workload = (reference: object) =>
    object("w", { template: { spec: { containers: [], resourceClaims: [{ name: "r", ...reference }] } } });
  expect(missing(workload({ resourceClaimName: "a" }))).toBe("gone");
  expect(missing(workload({ resourceClaimTemplateName: "t" }))).toBe("gone");
  expect(missing(workload({ resourceClaimName: "b" }))).toBeUndefined();
  expect(missing(workload({ resourceClaimName: "c" }))).toBeUndefined();
  expect(missing(object("w", { template: { spec: { containers: [] } } }))).toBeUndefined();
});

function requests(deviceClassName: string): object {
  return { devices: { requests: [{ name: "r", exactly: { deviceClassName } }] } };
}

function object(name: string, spec: object): KubernetesObject {
  return { metadata: { namespace: "cdp", name }, spec };
}
