import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "../test/cluster/support/cluster.ts";
import { BareClient } from "./bare-client.ts";

const name = "bench";

/**
 * A service account that may do everything, as which the service and the yardsticks work: the API server's priority and
 * fairness treats them as it treats every workload, and counts their requests.
 */
export interface Account {
  readonly kubeconfig: string;
  client(connections: number): BareClient;
  /** The API server's own count of the account's requests so far. */
  requests(): Promise<number>;
  /** CPU seconds of the API server's process so far, for everybody. */
  apiServerSeconds(): Promise<number>;
}

/** Makes the account, or takes the one that is there. */
export async function openAccount(cluster: TestCluster): Promise<Account> {
  const manifest = [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: "default" } },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
      subjects: [{ kind: "ServiceAccount", name, namespace: "default" }],
    },
    flowSchema,
  ];
  const file = join(cluster.folder, "bench-account.json");
  await writeFile(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: manifest }));
  await cluster.kubectl("apply", "-f", file);
  const token = (await cluster.kubectl("create", "token", name, "-n", "default", "--duration=12h")).trim();
  const admin = await readFile(cluster.kubeconfig, "utf8");
  const server = /server: "([^"]+)"/.exec(admin)?.[1];
  if (server === undefined) throw new Error(`${cluster.kubeconfig} names no server`);
  const ca = join(cluster.folder, "pki/ca.crt");
  const kubeconfig = join(cluster.folder, "bench-kubeconfig");
  await writeFile(kubeconfig, kubeconfigOf(server, ca, token));
  const caBytes = await readFile(ca, "utf8");
  const metrics = () => cluster.kubernetes.request("GET", "/metrics", { accept: "text/plain" });
  return {
    kubeconfig,
    client: (connections) => new BareClient(server, caBytes, token, connections),
    requests: async () => dispatched(await metrics()),
    apiServerSeconds: async () => Number(/^process_cpu_seconds_total (\S+)$/m.exec(await metrics())?.[1]),
  };
}

/** What every account's requests go through when nothing else matches, under a name of their own. */
const flowSchema = {
  apiVersion: "flowcontrol.apiserver.k8s.io/v1",
  kind: "FlowSchema",
  metadata: { name },
  spec: {
    matchingPrecedence: 8999,
    priorityLevelConfiguration: { name: "workload-low" },
    distinguisherMethod: { type: "ByUser" },
    rules: [
      {
        subjects: [{ kind: "ServiceAccount", serviceAccount: { name, namespace: "default" } }],
        resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"] }],
        nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
      },
    ],
  },
};

function kubeconfigOf(server: string, ca: string, token: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server, "certificate-authority": ca } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  });
}

function dispatched(metrics: string): number {
  const lines = metrics.matchAll(
    /^apiserver_flowcontrol_dispatched_requests_total\{[^}]*flow_schema="bench"[^}]*\} (\S+)$/gm,
  );
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}
