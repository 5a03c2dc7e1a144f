import { join } from "node:path";
import { createEngine } from "../engine/create-engine.ts";
import { silentLogger } from "../engine/logger.ts";
import { createServer } from "../server/server.ts";

/** Calls a method of the API: `POST /api/v1/drscp/<method>`. */
export type Call = <Answer>(method: string, request: object) => Promise<Answer>;

export interface Service {
  readonly url: string;
  readonly call: Call;
  close(): Promise<void>;
}

/** Starts the service for a cluster, with its database and archives in a folder; the environment's settings do not count. */
export async function startService(cluster: string, folder: string): Promise<Service> {
  const keyFile = join(folder, "encryption-keys");
  const engine = await createEngine({
    databasePath: join(folder, "drs.db"),
    storage: { kind: "folder", path: join(folder, "archives") },
    encryption: { keyFile, makeKey: true, readsUnencrypted: false },
    cluster: { server: cluster },
    controlPlane: {
      namespace: "cdp",
      vaultNamespace: "vault-system",
      furtherNamespaces: [],
      furtherObjects: [],
      databaseStatefulSet: "cdp-embedded-db",
    },
    crn: { partition: "altus", region: "us-west-1", account: "00000000-0000-0000-0000-000000000000" },
    restore: { rollBack: true, rollBackTimeout: 60_000, statusOf: [], maxRefusedObjects: 5 },
    limits: {
      hookTimeout: 10_000,
      snapshotTimeout: 60_000,
      podsStopTimeout: 60_000,
      finalizerTimeout: 2_000,
      appsStartTimeout: 60_000,
      clusterConcurrency: 16,
      queuedJobs: 100,
    },
  });
  const listen = { host: "127.0.0.1", port: 0 };
  const settings = { listen, tls: undefined, maxBodyBytes: 1_048_576 };
  const server = await createServer({ engine, log: silentLogger }, settings);
  const url = `http://127.0.0.1:${server.cleartext?.port}`;
  return {
    url,
    async call<Answer>(method: string, request: object): Promise<Answer> {
      const response = await fetch(`${url}/api/v1/drscp/${method}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(request),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method}: ${response.status} ${text}`);
      return JSON.parse(text) as Answer;
    },
    async close() {
      await server.close();
      await engine.close();
    },
  };
}
