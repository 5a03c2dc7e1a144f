import { setTimeout as sleep } from "node:timers/promises";
import type { TestCluster } from "../support/cluster.ts";
import { apiPath, type KubernetesObject } from "../support/kubernetes-client.ts";
import { keyOf, pathOf } from "./kinds.ts";
import { object } from "./objects.ts";
import { admissionPolicy, type Moment, type Policy, webhook } from "./policies.ts";
import type { PolicyServer } from "./policy-server.ts";
import type { JobStatus } from "./service.ts";
import type { World } from "./world.ts";

/** Lets the policies of a world appear, change and vanish. */
export class PoliciesOfWorld {
  /** What policies have changed in the world's own namespaces while a restore ran, and those that have vanished, by key. */
  readonly touched = new Set<string>();
  readonly #world: World;
  readonly #cluster: TestCluster;
  readonly #server: PolicyServer;
  readonly #report: (text: string) => void;
  readonly #ending = new AbortController();
  readonly #made: KubernetesObject[] = [];
  readonly #changing: Promise<void>[] = [];

  constructor(world: World, cluster: TestCluster, server: PolicyServer, report: (text: string) => void) {
    this.#world = world;
    this.#cluster = cluster;
    this.#server = server;
    this.#report = report;
  }

  async appear(moment: Exclude<Moment, object>): Promise<void> {
    for (const [index, policy] of this.#world.policies.entries())
      if (policy.appears === moment) await this.#impose(policy, index, false);
  }

  /** Imposes those that come in the middle of a restore, until that is over. What changes, changes from now on. */
  async followRestore(look: () => Promise<JobStatus>): Promise<void> {
    const waiting = new Map(this.#world.policies.entries());
    for (const [index, { appears, changes }] of waiting) {
      if (typeof appears === "object") continue;
      waiting.delete(index);
      if (changes) this.#changing.push(this.#later(changes.afterMs, () => this.#alter(index)));
    }
    while (waiting.size > 0 && !this.#ending.signal.aborted) {
      const { phase, state } = await look().catch(() => ({ phase: "", state: "" }));
      if (state !== "" && state !== "IN_PROGRESS" && state !== "NOT_STARTED") return;
      for (const [index, policy] of waiting) {
        const { appears, changes } = policy;
        if (typeof appears !== "object" || appears.phase !== phase) continue;
        waiting.delete(index);
        this.#changing.push(
          this.#later(appears.afterMs, async () => {
            await this.#impose(policy, index, true);
            if (changes) await this.#later(changes.afterMs, () => this.#alter(index));
          }),
        );
      }
      await sleep(20);
    }
  }

  /** Takes everything away for as long as something is done that the policies could hold up for ever. */
  async standAside(work: () => Promise<void>): Promise<void> {
    const { kubernetes } = this.#cluster;
    for (const made of this.#made) await kubernetes.delete(pathOf(made, "object"));
    await work();
    for (const made of this.#made) await kubernetes.create(pathOf(made, "collection"), made);
  }

  /** Takes everything away. */
  async end(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#changing);
    for (const made of this.#made) await this.#cluster.kubernetes.delete(pathOf(made, "object"));
  }

  async #impose(policy: Policy, index: number, inRestore: boolean): Promise<void> {
    const { kubernetes } = this.#cluster;
    const { name: world } = this.#world;
    const name = `${world}-policy-${index}`;
    const { kind, level, answer, operations, resources, wants } = policy;
    const detail =
      kind === "Pod Security"
        ? level
        : kind === "webhook"
          ? `${answer} ${operations.join()} ${resources.join()}`
          : `${answer} ${operations.join()} ${resources.join()} ${wants}`;
    this.#report(`imposed ${index}: ${kind} ${detail}`);
    const make = async (...objects: readonly KubernetesObject[]) => {
      for (const it of objects) {
        if (it.metadata.namespace !== undefined && inRestore) this.touched.add(keyOf(it));
        await kubernetes
          .create(pathOf(it, "collection"), it)
          .catch((error: unknown) => this.#report(String(error).slice(0, 200)));
        if (it.metadata.namespace === undefined) this.#made.push(it);
      }
    };
    switch (kind) {
      case "admission policy":
        return make(...admissionPolicy(name, world, policy));
      case "webhook":
        return make(webhook(name, world, policy, this.#server.answer(name, answer)));
      case "quota":
        return make(
          object("v1", "ResourceQuota", "house", world, { spec: { hard: { pods: "2", "count/configmaps": "4" } } }),
        );
      case "limit range":
        // Pods that are made from now on get the defaults.
        if (inRestore)
          for (const it of this.#world.objects)
            if (it.kind === "Pod" && it.metadata.namespace === world) this.touched.add(keyOf(it));
        return make(
          object("v1", "LimitRange", "house", world, {
            spec: { limits: [{ type: "Container", min: { cpu: "200m" }, default: { cpu: "300m" } }] },
          }),
        );
      case "Pod Security": {
        if (inRestore) this.touched.add(`Namespace ${world}`);
        const labels = { "pod-security.kubernetes.io/enforce": level };
        const path = apiPath({ apiVersion: "v1", resource: "namespaces" }, undefined, world);
        await kubernetes
          .patch(path, { metadata: { labels } })
          .catch((error: unknown) => this.#report(String(error).slice(0, 200)));
      }
    }
  }

  async #alter(index: number): Promise<void> {
    const policy = this.#world.policies[index];
    if (policy?.changes === undefined) return;
    const { to } = policy.changes;
    const name = `${this.#world.name}-policy-${index}`;
    this.#report(`policy ${index} is ${to} now`);
    if (policy.kind === "webhook" && to !== "gone") this.#server.answer(name, to);
    else
      for (const made of this.#made.filter(({ metadata }) => metadata.name === name)) {
        this.touched.add(keyOf(made));
        await this.#cluster.kubernetes.delete(pathOf(made, "object"));
      }
  }

  async #later(afterMs: number, work: () => Promise<void>): Promise<void> {
    try {
      await sleep(afterMs, undefined, { signal: this.#ending.signal });
      await work();
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#report(String(error));
    }
  }
}
