import type { NewObject } from "../objects/kubernetes-object.ts";
import { configMap, disruptionBudget, roleFor, secret, service, serviceAccount, statefulSet } from "./builders.ts";

export const vaultNamespace = "vault-system";
const port = 8200;

/** The embedded vault of the sample control plane, in its namespace. */
export const vault: readonly NewObject[] = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: vaultNamespace } },
  serviceAccount("vault", vaultNamespace),
  ...roleFor("vault", [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "patch"] }], vaultNamespace),
  configMap("vault-config", { "vault.hcl": 'storage "file" { path = "/data" }\n' }, vaultNamespace),
  secret("vault-unseal", "Opaque", { shares: "sample-one,sample-two,sample-three" }, vaultNamespace),
  service("vault", port, vaultNamespace),
  service("vault-internal", port, vaultNamespace, { clusterIP: "None", selector: { app: "vault" } }),
  statefulSet("vault", "2Gi", {
    namespace: vaultNamespace,
    serviceName: "vault-internal",
    account: "vault",
    port,
    configMap: "vault-config",
  }),
  disruptionBudget("vault", vaultNamespace),
];
