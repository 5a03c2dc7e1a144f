import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster, type ResourceRight } from "../../engine/kubernetes/cluster.ts";
import type { DiscoveredResource } from "../../engine/kubernetes/discovery.ts";
import { resourceName } from "../../engine/kubernetes/kubernetes-object.ts";
import { verbsOfNeed, verbsOfNeeds } from "../../engine/objects/cluster-scoped-needs.ts";
import { kindsOfUsers } from "../../engine/objects/cluster-scoped-users.ts";
import { backupRights, fillRights, hookRights, restoreRights } from "../../engine/objects/rights-needed.ts";
import { Gateway } from "./faults/gateway.ts";
import type { TestCluster } from "./support/cluster.ts";
import { createControlPlane, differencesSince, namespaces, takeControlPlanePicture } from "./support/control-plane.ts";
import { eventually } from "./support/eventually.ts";
import { ManifestRights, type Rule } from "./support/manifest-rights.ts";
import { startService, type TestService } from "./support/service.ts";
import { sharedCluster } from "./support/shared-cluster.ts";
import { wreckInPlace } from "./support/wreck.ts";

const own = "cdp-drs";
const [clusterRole, namespaceRole] = ["data-recovery-service", "data-recovery-service-namespace"] as const;
/** Roles that grant what the service may not do itself. */
const powerful = ["--namespace=cdp", "create"] as const;
const gatewayClasses = "gatewayclasses.gateway.networking.k8s.io";
const pipelines = "pipelines.platform.example.com";
let cluster: TestCluster;
let rights: ManifestRights;
let gateway: Gateway;
let service: TestService;
let resources: readonly DiscoveredResource[];
let backupCrn: string;
/** What the service has asked of the API server: `METHOD path`. */
let requests: string[] = [];

beforeAll(async () => {
  cluster = await sharedCluster();
  await createControlPlane(cluster);
  await cluster.kubectl(...powerful, "role", "powerful", "--verb=impersonate", "--resource=serviceaccounts");
  await cluster.kubectl(...powerful, "rolebinding", "powerful", "--role=powerful", "--serviceaccount=cdp:portal");
  await defineGatewayClasses();
  rights = await ManifestRights.read(cluster);
  await rights.apply();
  gateway = await Gateway.open("least-privilege", cluster, { token: await rights.token() });
  gateway.onRequest = (path, method) => {
    requests.push(`${method} ${path}`);
    return path;
  };
  service = await startService({ cluster, flags: [`--kubeconfig=${gateway.kubeconfig}`] });
  const asAdministrator = await Cluster.open({ kubeconfig: cluster.kubeconfig }, 8);
  ({ resources } = await asAdministrator.discover(AbortSignal.timeout(60_000)));
  await asAdministrator.close();
});

afterAll(async () => {
  await service?.stop();
  gateway?.close();
  await rights?.remove();
  await cluster?.kubectl("delete", "--ignore-not-found", "crd", gatewayClasses);
});

test("a backup, a restore and a deletion do with the rights of the manifest, and ask for each before they use it", async () => {
  const before = await takeControlPlanePicture(cluster);
  ({ backupCrn } = await service.api("createBackup"));
  expect(await service.waitForJob(backupCrn)).toMatchObject({ warnings: [], errors: [] });
  await wreckInPlace(cluster);
  const { restoreCrn } = await service.api("restoreBackup", { backupCrn });
  expect(await service.waitForJob(restoreCrn)).toMatchObject({ warnings: [], errors: [] });
  expect(await differencesSince(before, cluster)).toEqual([]);
  const { backupCrn: second } = await service.api("createBackup");
  await service.waitForJob(second);
  await service.api("deleteBackup", { backupCrn: second });
  await service.waitUntilDeleted(second);

  // A dry run also meets quotas that are used up, and accounts that are not there yet.
  expect(gateway.forbidden.filter((request) => !isDryRun(request))).toEqual([]);
  const asked = new Set(allQuestions().map(inWords));
  const looks = new Set(optionalRights());
  const used = new Set(requests.map(rightFor).filter((right) => right !== undefined));
  expect([...used].filter((right) => !asked.has(right) && !looks.has(right))).toEqual([]);
});

test("the manifest has each right that jobs ask for, and no other", () => {
  const questions = allQuestions();
  const rules = rights.rulesOf(clusterRole);
  const globally = questions.filter(({ namespace }) => namespace === "");
  expect(rules.flatMap(expanded).sort()).toEqual(
    [...new Set([...globally.map(inWords), ...toGrant("clusterroles")])].sort(),
  );

  const [everyKind, ...others] = rights.rulesOf(namespaceRole);
  const verbs = new Set(questions.filter(({ namespace }) => namespace !== "").map(({ verb }) => verb));
  expect(everyKind).toMatchObject({ apiGroups: ["*"], resources: ["*"] });
  expect(everyKind?.verbs.toSorted()).toEqual([...verbs].sort());
  expect(others.flatMap(expanded).sort()).toEqual(toGrant("roles"));

  const here = questions.filter(({ namespace }) => namespace === own).map(inWords);
  const granted = rights.rulesOf(clusterRole, own).flatMap(expanded);
  expect(granted.map((right) => `${right} in ${own}`).sort()).toEqual(here.sort());

  expect(rights.rulesOf("data-recovery-service-optional").flatMap(expanded).sort()).toEqual(optionalRights());
});

test("with any one rule less PRE_VALIDATION names what is missing, and nothing is touched", async () => {
  // The recreated role grants more than the service has.
  await cluster.kubectl("delete", "clusterrole/cdp:node-viewer", "clusterrolebinding/cdp:node-viewer");
  await cluster.kubectl("--namespace=cdp", "delete", "role/powerful", "rolebinding/powerful");
  const before = await takeControlPlanePicture(cluster);
  for (const role of [clusterRole, namespaceRole]) {
    const rules = rights.rulesOf(role);
    for (const rule of rules) {
      await rights.setRules(role, rules.toSpliced(rules.indexOf(rule), 1));
      await until(false, rule);
      requests = [];
      const errors = await errorsWithout(rule);
      const untold = expectedWithout(rule).filter((right) => !errors.includes(right));
      expect({ rule, errors, untold, written: requests.filter(isWrite) }).toMatchObject({ untold: [], written: [] });
    }
    await rights.setRules(role, rules);
    for (const rule of rules) await until(true, rule);
  }
  expect(await differencesSince(before, cluster)).toEqual([]);
});

test("a namespace that was deleted is named first, as its role binding has gone with it, and no right in it", async () => {
  const [, vault] = namespaces;
  await cluster.kubectl("delete", "namespace", vault);
  const { restoreCrn } = await service.api("restoreBackup", { backupCrn });
  const { errors } = await service.waitForJob(restoreCrn, { state: "FAILED" });
  expect(errors).toMatchObject([
    {
      text: `namespace ${vault} does not exist, and with it the role binding that gives the service its rights there: create it and apply deploy/kubernetes.yaml again`,
    },
  ]);
});

/** Of the kinds in the manifest the one that Kubernetes does not have itself. */
async function defineGatewayClasses(): Promise<void> {
  const versions = [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }];
  const names = { plural: "gatewayclasses", singular: "gatewayclass", kind: "GatewayClass" };
  const annotations = { "api-approved.kubernetes.io": "unapproved, for a test" };
  const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: gatewayClasses, annotations },
    spec: { group: "gateway.networking.k8s.io", scope: "Cluster", names, versions },
  };
  const file = join(cluster.folder, "gateway-classes.json");
  await writeFile(file, JSON.stringify(definition));
  await cluster.kubectl("apply", "-f", file);
  await eventually("gateway classes are served", () =>
    cluster.kubectl("get", gatewayClasses).then(
      () => true,
      () => false,
    ),
  );
}

const isServedByItself = () => undefined;

/** What a backup and a restore ask whether they may, of the kinds that are in archives: every one that the service knows. */
function allQuestions(): readonly ResourceRight[] {
  const saved = resources.filter((kind) => resourceName(kind) in verbsOfNeeds);
  return [
    ...backupRights({ resources, serverOf: isServedByItself }, namespaces),
    ...hookRights(namespaces),
    ...restoreRights({
      resources,
      serverOf: isServedByItself,
      saved,
      namespaces,
      statusOf: [pipelines],
    }),
    ...fillRights(own),
  ];
}

function toGrant(roles: string): readonly string[] {
  return ["bind", "escalate"].map((verb) => `${verb} ${roles}.rbac.authorization.k8s.io`);
}

/** What is only looked through where the service may. */
function optionalRights(): readonly string[] {
  return kindsOfUsers.map((kind) => `list ${resourceName(kind)}`).sort();
}

function expanded({ apiGroups, resources: names, verbs }: Rule): readonly string[] {
  return apiGroups.flatMap((group) =>
    names.flatMap((name) => verbs.map((verb) => `${verb} ${name}${group === "" ? "" : `.${group}`}`)),
  );
}

function inWords({ verb, group, resource, subresource, namespace }: ResourceRight): string {
  const kind = `${resource}${group ? `.${group}` : ""}${subresource === undefined ? "" : `/${subresource}`}`;
  return `${verb} ${kind}${namespace ? ` in ${namespace}` : ""}`;
}

/** The right that a request takes; undefined for what everyone may. */
function rightFor(request: string): string | undefined {
  const [method = "", url = ""] = request.split(" ");
  const { pathname, searchParams } = new URL(url, "http://api");
  const [, group = "", rest = ""] = /^\/(?:api|apis\/([^/]+))\/v\w+\/(.+)$/.exec(pathname) ?? [];
  const [, namespace = "", inNamespace] = /^namespaces\/([^/]+)\/(.+)$/.exec(rest) ?? [];
  const [resource = "", name, subresource] = (inNamespace ?? rest).split("/");
  if (resource === "" || resource.startsWith("selfsubject")) return undefined;
  const reading = name !== undefined ? "get" : searchParams.get("watch") === "true" ? "watch" : "list";
  const verbs: Readonly<Record<string, string>> = { GET: reading, POST: "create", PUT: "update", PATCH: "patch" };
  const question = { verb: verbs[method] ?? "delete", group, resource, namespace };
  return inWords(subresource === undefined ? question : { ...question, subresource });
}

/** Whether a request changes anything; the service's own lease and views of snapshots are not the control plane's. */
function isWrite(request: string): boolean {
  return (
    !isDryRun(request) &&
    !/^GET |\/selfsubject\w*reviews|\/volumesnapshot(content)?s|\/kube-system\/leases/.test(request)
  );
}

function isDryRun(request: string): boolean {
  return request.endsWith("?dryRun=All");
}

/** Only a backup asks for kinds that this backup has no objects of. */
function isAskedByBackupOnly({ resources: [name = ""] }: Rule): boolean {
  return [
    "apiservices",
    "deviceclasses",
    "gatewayclasses",
    "ingressclasses",
    "runtimeclasses",
    "volumeattributesclasses",
  ].includes(name);
}

/** Runs a job that needs the missing rule, and gives what it says, each right in words of its own. */
async function errorsWithout(rule: Rule): Promise<readonly string[]> {
  const job = isAskedByBackupOnly(rule)
    ? (await service.api("createBackup")).backupCrn
    : (await service.api("restoreBackup", { backupCrn })).restoreCrn;
  const { errors } = await service.waitForJob(job, { state: "FAILED", timeout: 30_000 });
  const { logs } = (await service.api("getLogs", { crn: job })) as { logs: string };
  expect(logs).not.toMatch(/(STOPPING_APPS|SAVING_OBJECTS) phase started/);
  const [{ text }] = errors as [{ text: string }];
  const forbidden = /cannot (\w+) resource "(\w+)"/.exec(text);
  if (forbidden) return [`${forbidden[1]} ${forbidden[2]}`];
  const missing = text.slice(text.lastIndexOf(": ") + 2).replaceAll(/ \(for [^)]*\)/g, "");
  return missing.split("; ").flatMap((words) => {
    const [, verbs = "", kinds = ""] = /^((?:\w+, )*\w+) ((?:\S+, )*\S+)( in \S+)?$/.exec(words) ?? [];
    return verbs.split(", ").flatMap((verb) => kinds.split(", ").map((kind) => `${verb} ${kind}`));
  });
}

/** What must be named when a rule is missing. */
function expectedWithout(rule: Rule): readonly string[] {
  if (rule.resources.includes("*")) return rule.verbs.map((verb) => `${verb} configmaps`);
  if (rule.resources.includes("namespaces")) return ["list namespaces"]; // asked for while one may be on its way out
  if (isAskedByBackupOnly(rule)) return expanded(rule).filter(isNeed);
  return expanded(rule);
}

function isNeed(right: string): boolean {
  const [verb = "", kind = ""] = right.split(" ");
  return verbsOfNeed(kind).includes(verb);
}

/** Waits until the API server has taken notice of a rule that has come or gone. */
async function until(isAllowed: boolean, { apiGroups, resources: names, verbs }: Rule): Promise<void> {
  const [group, resource, verb] = [apiGroups[0], names[0], verbs[0]].map((word) => (word === "*" ? "test" : word));
  const namespace = names.includes("*") || names.includes("roles") ? "cdp" : "";
  const body = { spec: { user: rights.user, resourceAttributes: { group, resource, verb, namespace } } };
  await eventually(
    `the API server knows the rules`,
    async () => {
      const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
      const answer = await cluster.kubernetes.request("POST", path, { body });
      return JSON.parse(answer).status.allowed === isAllowed;
    },
    { timeout: 10_000, interval: 20 },
  );
}
