import { randomBytes } from "node:crypto";
import type { ClaimVolumes } from "../simulator/volumes/claim-volumes.ts";
import type { KubernetesClient } from "./kubernetes-client.ts";

const database = "data-cdp-embedded-db-0";
const platform = "/apis/platform.cdp.example/v1/namespaces/cdp";

/** Wrecks the sample control plane, and reports each deed before it is done. */
export async function wreck(
  client: KubernetesClient,
  volumes: ClaimVolumes,
  report: (deed: string) => void,
): Promise<void> {
  const remove = (path: string) => client.request("DELETE", path);
  const change = (path: string, patch: object) => client.request("PATCH", path, patch);

  report("the database's files are overwritten, one is deleted");
  for (const path of volumes.list("cdp", database).filter((path) => path.startsWith("pgdata/base/"))) {
    volumes.write("cdp", database, path, randomBytes(volumes.read("cdp", database, path).length));
  }
  volumes.remove("cdp", database, "pgdata/global/pg_control");

  report("the vault's namespace is deleted, and its volume with it");
  await remove("/api/v1/namespaces/vault-system");

  report("four applications, the autoscaler and every service are deleted");
  for (const name of ["cdp-console", "cdp-controller", "cdp-monitoring", "cdp-scheduler"]) {
    await remove(`/apis/apps/v1/namespaces/cdp/deployments/${name}`);
  }
  await remove("/apis/autoscaling/v2/namespaces/cdp/horizontalpodautoscalers");
  await remove("/api/v1/namespaces/cdp/services");

  report("the definition of workspaces is deleted, and all workspaces with it");
  await remove("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/workspaces.platform.cdp.example");

  report("secrets, settings, rights and an environment are changed");
  await change("/api/v1/namespaces/cdp/secrets/cdp-embedded-db-credentials", {
    data: { POSTGRES_PASSWORD: "bG9zdA==" },
  });
  await change("/api/v1/namespaces/cdp/configmaps/cdp-api-config", { data: { LISTEN: null } });
  await change("/apis/apps/v1/namespaces/cdp/deployments/cdp-api", { spec: { replicas: 1 } });
  await change(`${platform}/environments/production`, { spec: { serial: 9_007_199_254_740_992 } });
  await remove("/apis/rbac.authorization.k8s.io/v1/clusterroles/cdp-controller");

  report("a stray application is created");
  const labels = { app: "stray" };
  await client.request("POST", "/apis/apps/v1/namespaces/cdp/deployments", {
    metadata: { name: "stray" },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "main" }] } },
    },
  });
}
