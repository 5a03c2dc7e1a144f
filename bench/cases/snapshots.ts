import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "../../test/cluster/support/cluster.ts";
import { eventually } from "../../test/cluster/support/eventually.ts";
import { type KubernetesObject, apiPath } from "../../test/cluster/support/kubernetes-client.ts";
import { claimFolder, claims } from "../../test/cluster/support/volumes.ts";
import { openAccount } from "../account.ts";
import type { BareClient } from "../bare-client.ts";
import type { BenchCase, Round } from "../bench-case.ts";
import { inFlight, seconds } from "../in-flight.ts";
import { MeasuredService } from "../service.ts";

const namespace = "cdp";
const contents = { apiVersion: "snapshot.storage.k8s.io/v1", resource: "volumesnapshotcontents" };
const snapshots = { apiVersion: "snapshot.storage.k8s.io/v1", resource: "volumesnapshots" };
const atOnce = 32;

/** Taking many snapshots and filling claims from them, against bare creates and one watch. */
export const volumes: BenchCase = {
  name: "snapshots",
  async run(bench) {
    const cluster = await bench.cluster();
    const account = await openAccount(cluster);
    const names = Array.from(
      { length: bench.quick ? 20 : 100 },
      (_, index) => `claim-${String(index).padStart(3, "0")}`,
    );
    await cluster.kubernetes.create("/api/v1/namespaces", {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace },
    });
    const client = account.client(64);
    const service = await MeasuredService.start(cluster, account, ["--fill-namespace=off"]);
    const creating: Round[] = [];
    const restoring: Round[] = [];
    let spread = "";
    const whole: number[] = [];
    try {
      await inFlight(names, atOnce, (name) => client.send("POST", apiPath(claims, namespace), claim(name)));
      await until(client, claims, names, isBound);
      for (const name of names) await writeFile(join(await claimFolder(cluster, namespace, name), "data"), name);
      for (let round = 1; round <= bench.rounds; round++) {
        const before = performance.now();
        const { crn, phases } = await service.backup();
        whole.push((performance.now() - before) / 1000);
        spread = /taken within (\d+ ms)/.exec(await service.log(crn))?.[1] ?? "";
        const restored = await service.restore(crn);
        creating.push({
          ours: phases["CREATING_SNAPSHOTS"] ?? NaN,
          yardstick: await seconds(() => takeBare(client, names)),
        });
        await importBare(cluster, client, names);
        restoring.push({
          ours: restored["RESTORING_PVC"] ?? NaN,
          yardstick: await seconds(() => fillBare(client, names)),
        });
        bench.say(
          `  round ${round}: ${JSON.stringify({ phases, restored, yardstick: [creating.at(-1), restoring.at(-1)] })}`,
        );
        await removeBare(cluster);
        await service.deleteBackup(crn);
      }
    } finally {
      await service.stop();
      await client.close();
      await cluster.kubectl("delete", "namespace", namespace, "--wait");
    }
    const count = `${names.length} claims`;
    return [
      {
        name: `CREATING_SNAPSHOTS, ${count}`,
        yardstick: "bare VolumeSnapshots until all are ready",
        unit: "s",
        rounds: creating,
        ratio: { atMost: 1.2, collapse: 3 },
        figures: {
          "between the first and the last snapshot": spread,
          "whole backup": `${Math.min(...whole).toFixed(1)} s`,
        },
      },
      {
        name: `RESTORING_PVC, ${count}`,
        yardstick:
          "bare VolumeSnapshots of imported contents until they are ready, and claims from them until all are bound",
        unit: "s",
        rounds: restoring,
        ratio: { atMost: 1.2, collapse: 3 },
        figures: {},
      },
    ];
  },
};

/** The label of what the yardstick makes. */
const label = "bench";

function claim(name: string, dataSource?: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, ...(dataSource !== undefined && { labels: { [label]: "yes" } }) },
    spec: {
      storageClassName: "dir",
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "1Mi" } },
      ...(dataSource !== undefined && {
        dataSource: { apiGroup: "snapshot.storage.k8s.io", kind: "VolumeSnapshot", name: dataSource },
      }),
    },
  });
}

function snapshot(name: string, source: object): string {
  const ofContent = "volumeSnapshotContentName" in source;
  return JSON.stringify({
    apiVersion: snapshots.apiVersion,
    kind: "VolumeSnapshot",
    metadata: { name, labels: { [label]: "yes" } },
    spec: { ...(!ofContent && { volumeSnapshotClassName: "dir" }), source },
  });
}

async function takeBare(client: BareClient, names: readonly string[]): Promise<void> {
  const wanted = names.map((name) => `bare-${name}`);
  await inFlight(names, atOnce, (name) =>
    client.send("POST", apiPath(snapshots, namespace), snapshot(`bare-${name}`, { persistentVolumeClaimName: name })),
  );
  await until(client, snapshots, wanted, isReady);
}

/** Brings the snapshots into the cluster once more, as PRE_VALIDATION of a restore does. */
async function importBare({ kubernetes }: TestCluster, client: BareClient, names: readonly string[]): Promise<void> {
  const taken = await kubernetes.list(apiPath(contents));
  const byName = new Map(taken.map((content) => [String(content["spec"].volumeSnapshotRef.name), content]));
  await inFlight(names, atOnce, async (name) => {
    const original = byName.get(`bare-${name}`);
    if (!original) throw new Error(`snapshot bare-${name} has no content`);
    const { spec, status } = original;
    const content = {
      apiVersion: contents.apiVersion,
      kind: "VolumeSnapshotContent",
      metadata: { name: `imported-${name}`, labels: { [label]: "yes" } },
      spec: {
        deletionPolicy: "Retain",
        driver: spec.driver,
        source: { snapshotHandle: status.snapshotHandle },
        volumeSnapshotRef: { namespace, name: `imported-${name}` },
      },
    };
    await client.send("POST", apiPath(contents), JSON.stringify(content));
  });
}

async function fillBare(client: BareClient, names: readonly string[]): Promise<void> {
  const imported = names.map((name) => `imported-${name}`);
  await inFlight(imported, atOnce, (name) =>
    client.send("POST", apiPath(snapshots, namespace), snapshot(name, { volumeSnapshotContentName: name })),
  );
  await until(client, snapshots, imported, isReady);
  await inFlight(names, atOnce, (name) =>
    client.send("POST", apiPath(claims, namespace), claim(`filled-${name}`, `imported-${name}`)),
  );
  await until(
    client,
    claims,
    names.map((name) => `filled-${name}`),
    isBound,
  );
}

async function removeBare(cluster: TestCluster): Promise<void> {
  for (const path of [apiPath(claims, namespace), apiPath(snapshots, namespace), apiPath(contents)].map(
    (collection) => `${collection}?labelSelector=${label}`,
  )) {
    await cluster.kubernetes.delete(path);
    await eventually(
      "the yardstick's objects are gone",
      async () => (await cluster.kubernetes.list(path)).length === 0,
    );
  }
}

function isReady(snapshot: KubernetesObject): boolean {
  return snapshot["status"]?.readyToUse === true;
}

function isBound(claim: KubernetesObject): boolean {
  return claim["status"]?.phase === "Bound";
}

/** Milliseconds; far longer than any of it takes. */
const patience = 600_000;

/** Watches a collection from its beginning, again when the watch ends, until something is so of all these objects. */
async function until(
  client: BareClient,
  type: { apiVersion: string; resource: string },
  names: readonly string[],
  isSo: (object: KubernetesObject) => boolean,
): Promise<void> {
  const missing = new Set(names);
  const signal = AbortSignal.timeout(patience);
  while (missing.size > 0)
    for await (const line of client.lines(`${apiPath(type, namespace)}?watch=true`, signal)) {
      const { object } = JSON.parse(line) as { object: KubernetesObject };
      if (isSo(object)) missing.delete(object.metadata.name);
      if (missing.size === 0) break;
    }
}
