import { expect, test } from "vitest";
import type { Cluster } from "../../../engine/kubernetes/cluster.ts";
import type { KubernetesObject } from "../../../engine/kubernetes/kubernetes-object.ts";
import { replayRollOut } from "../../../engine/restore/start/replaying-roll-outs.ts";
import type { NamespacedRestore } from "../../../engine/restore/objects/restore-object.ts";
import type { RollOut } from "../../../engine/restore/objects/roll-outs.ts";

const type = { apiVersion: "apps/v1", kind: "Deployment", resource: "deployments", namespaced: true };
const rollOut: RollOut = {
  type,
  archived: { metadata: { name: "web", namespace: "cdp" }, spec: { replicas: 3, template: { spec: { at: "new" } } } },
  older: { spec: { at: "old" } },
  olderUp: 3,
  updated: 1,
  revisions: [],
};
const older = { template: rollOut.older, replicas: 3, paused: false };
const newest = { template: { spec: { at: "new" } }, replicas: 3, paused: false };

test("the older template comes first, then the newest, and once that is done nothing any more", async () => {
  const scene = new Scene();
  await scene.replay();
  expect(scene.patches).toEqual([older, newest]);
  await scene.replay();
  expect(scene.patches).toHaveLength(2);
});

test("a service that dies before the older pods are up starts over, and one that dies after it goes on", async () => {
  const scene = new Scene();
  scene.dieAt = 1;
  await expect(scene.replay()).rejects.toThrow("died");
  expect(scene.patches).toEqual([older]);
  scene.dieAt = 3;
  await expect(scene.replay()).rejects.toThrow("died");
  expect(scene.patches).toEqual([older, older, newest]);
  scene.dieAt = undefined;
  await scene.replay();
  expect(scene.patches).toEqual([older, older, newest, newest]);
});

/** A cluster whose controllers are done with each change at once. */
class Scene {
  readonly patches: object[] = [];
  dieAt: number | undefined;
  readonly #notes = new Map<string, unknown>();

  async replay(): Promise<void> {
    const notes = {
      get: (key: string) => this.#notes.get(key),
      set: (key: string, value: unknown) => this.#notes.set(key, value),
    };
    const object: KubernetesObject = {
      metadata: { name: "web", namespace: "cdp", generation: 1 },
      spec: { replicas: 3 },
      status: { observedGeneration: 1, availableReplicas: 3 },
    };
    const cluster = {
      patch: async (_type: object, _namespace: string, _name: string, patch: { path: string; value: unknown }[]) => {
        this.patches.push(Object.fromEntries(patch.map(({ path, value }) => [path.slice("/spec/".length), value])));
        if (this.patches.length === this.dieAt) throw new Error("died");
      },
      async *watch() {
        yield { object, gone: false };
        yield "listed";
      },
    } as unknown as Cluster;
    const context = { signal: new AbortController().signal, notes, info() {} };
    const restore = { deps: { cluster, limits: { appsStartTimeout: 1_000 } }, context, source: { notesPrefix: "" } };
    await replayRollOut(
      restore as unknown as NamespacedRestore,
      { ...type, hasStatus: true },
      rollOut,
      Date.now() + 1_000,
    );
  }
}
