import { afterAll, beforeAll, expect, test } from "vitest";
import { pathOfKind } from "./kinds.ts";
import { PolicyServer } from "./policy-server.ts";
import { removeWorld } from "./remove-world.ts";
import { runWorld } from "./run-world.ts";
import { encryptedClass, lateClass, retainedClass } from "./workloads.ts";
import { fillNamespace, type World, worldFrom } from "./world.ts";
import type { TestCluster } from "../support/cluster.ts";
import { sharedCluster } from "../support/shared-cluster.ts";

const { WORLDS, WORLDS_SEED, WORLDS_STORIES } = process.env;
/** The short run has the same worlds each time, so that it judges a change and not its luck; a long one has new ones. */
const short = { count: 16, first: 7_000 };
const random = Math.floor(Math.random() * 2 ** 30);
const first = Number(WORLDS_SEED ?? (WORLDS === undefined ? short.first : random));
const seeds = Array.from({ length: Number(WORLDS ?? short.count) }, (_, index) => first + index);
/** https://kubernetes-csi.github.io/docs/secrets-and-credentials-storage-class.html */
const secretBeside = {
  "csi.storage.k8s.io/provisioner-secret-name": "${pvc.name}-key",
  "csi.storage.k8s.io/provisioner-secret-namespace": "${pvc.namespace}",
};
const timeoutMs = 400_000;

let cluster: TestCluster;
let policyServer: PolicyServer;
const removing: Promise<void>[] = [];
let ended = 0;
const endings = new Map<string, number>();

beforeAll(async () => {
  console.log(`${seeds.length} worlds: to repeat them, set WORLDS_SEED=${first} WORLDS=${seeds.length}`);
  cluster = await sharedCluster();
  policyServer = await PolicyServer.start();
  await removeClasses();
  await cluster.kubernetes
    .create(pathOfKind("v1/namespaces"), { apiVersion: "v1", kind: "Namespace", metadata: { name: fillNamespace } })
    .catch((error: unknown) => {
      if (!String(error).includes("already exists")) throw error;
    });
  for (const [name, more] of [
    [lateClass, { volumeBindingMode: "WaitForFirstConsumer" }],
    [retainedClass, { reclaimPolicy: "Retain" }],
    [encryptedClass, { parameters: secretBeside }],
  ] as const)
    await cluster.kubernetes.create(pathOfKind("storage.k8s.io/v1/storageclasses"), {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name },
      provisioner: "dir.csi.test",
      ...more,
    });
});

afterAll(async () => {
  await Promise.all(removing);
  console.log([...endings].map(([ending, count]) => `${count} times: ${ending}`).join("\n"));
  policyServer?.close();
  await removeClasses();
});

async function removeClasses(): Promise<void> {
  for (const name of [lateClass, retainedClass, encryptedClass])
    await cluster?.kubernetes.delete(`${pathOfKind("storage.k8s.io/v1/storageclasses")}/${name}`);
}

test.concurrent.for(seeds)(
  "in the random world of seed %i nothing is lost, and what is reported is true",
  { timeout: timeoutMs },
  async (seed) => {
    const world = worldFrom(seed);
    const {
      breaches,
      story,
      endings: itsEndings,
    } = await runWorld(world, cluster, policyServer).finally(() => {
      removing.push(removeWorld(world, cluster));
    });
    ended++;
    for (const ending of itsEndings) endings.set(ending, (endings.get(ending) ?? 0) + 1);
    if (ended % 25 === 0) console.log(`${ended} of ${seeds.length} worlds have ended`);
    if (breaches.length > 0 || WORLDS_STORIES !== undefined)
      console.log(`WORLDS_SEED=${seed} WORLDS=1\n${describe(world)}\n${story}\n${breaches.join("\n")}`);
    expect(breaches).toEqual([]);
  },
);

function describe({ objects, fillsFirst, wreck, deaths, restores, namespaces }: World): string {
  const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`).join(", ");
  return `${namespaces.join()}: ${names}\nfills first: ${fillsFirst}, wreck: ${wreck}, deaths: ${JSON.stringify(deaths)}, restores: ${restores}`;
}
