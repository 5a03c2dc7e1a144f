import type { SmallControlPlane } from "../fidelity/support.ts";
import type { KubernetesObject, WatchEvent } from "../support/kubernetes-client.ts";

/** How the operator signs what it writes. */
export const operatorName = "fake-operator";

/** What an operator looks for: another replica count, or that the workload is gone. */
type Trigger = "scaled" | "deleted";

/** An operator of a workload: it restores its replica count, or recreates it when it is deleted. */
export class FakeOperator {
  /** How often it has done so. */
  interventions = 0;
  readonly #plane: SmallControlPlane;
  readonly #kind: string;
  readonly #trigger: Trigger;
  readonly #wanted: KubernetesObject;
  readonly #givesUp: (interventions: number) => boolean;
  readonly #stopping = new AbortController();
  readonly #watching: Promise<void>;

  private constructor(
    plane: SmallControlPlane,
    kind: string,
    wanted: KubernetesObject,
    trigger: Trigger,
    givesUp: (interventions: number) => boolean,
  ) {
    this.#plane = plane;
    this.#kind = kind;
    this.#trigger = trigger;
    this.#wanted = wanted;
    this.#givesUp = givesUp;
    this.#watching = this.#run();
  }

  /** Starts it: the workload must stay as it is now, until `givesUp`, which is asked before each intervention, says so. */
  static async lookAfter(
    plane: SmallControlPlane,
    kind: string,
    name: string,
    trigger: Trigger,
    givesUp: (interventions: number) => boolean = () => false,
  ): Promise<FakeOperator> {
    return new FakeOperator(plane, kind, await plane.get(kind, name), trigger, givesUp);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
  }

  async #run(): Promise<void> {
    const { kubernetes } = this.#plane.cluster;
    for await (const event of kubernetes.watch(this.#plane.path(this.#kind), this.#stopping.signal)) {
      if (!this.#isWrong(event)) continue;
      if (this.#givesUp(this.interventions)) return;
      await this.#intervene(event).then(
        () => this.interventions++,
        () => {}, // it was changed meanwhile, and the next event says how
      );
    }
  }

  #isWrong({ type, object: { metadata, spec } }: WatchEvent): boolean {
    if (metadata.name !== this.#wanted.metadata.name) return false;
    if (this.#trigger === "deleted") return type === "DELETED";
    return type !== "DELETED" && spec.replicas !== this.#wanted["spec"].replicas;
  }

  async #intervene({ type }: WatchEvent): Promise<void> {
    const { kubernetes } = this.#plane.cluster;
    const { metadata, spec } = this.#wanted;
    const signed = `?fieldManager=${operatorName}`;
    const { name, labels } = metadata;
    if (type === "DELETED")
      await kubernetes.create(this.#plane.path(this.#kind) + signed, { metadata: { name, labels }, spec });
    else await kubernetes.patch(this.#plane.path(this.#kind, name) + signed, { spec: { replicas: spec.replicas } });
  }
}
