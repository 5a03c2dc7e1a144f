import type { MessageCode } from "../../message-codes.ts";
import type { JobDeps } from "../../jobs/deps.ts";
import type { Discovery } from "../../kubernetes/discovery.ts";
import type { KubernetesError } from "../../kubernetes/kubernetes-error.ts";
import type { KubernetesObject, ResourceType } from "../../kubernetes/kubernetes-object.ts";
import { nameOf } from "../../objects/object-names.ts";
import type { Refusals } from "./refusals.ts";
import type { RestoreSource } from "../source/restore-source.ts";
import type { Definitions } from "./saved-definitions.ts";

/** The collaborators of PRE_VALIDATION's dry runs. */
export interface Trial {
  readonly source: RestoreSource;
  readonly discovery: Discovery;
  readonly definitions: Definitions;
  readonly deps: Pick<JobDeps, "cluster" | "limits">;
  readonly signal: AbortSignal;
  /** Those of the namespaces that exist: nothing can be tried in the others. */
  readonly namespaces: ReadonlySet<string>;
  readonly refusals: Refusals;
  readonly findings: Findings;
}

/** The API server's answers to the dry runs. */
export class Findings {
  /** Asked about: objects that a restore makes or changes. */
  tried = 0;
  /** As they were saved: left alone. */
  same = 0;
  /** Could not be made, or not be changed to the saved object, with the API server's words. */
  readonly refused: string[] = [];
  /** Are there, and would be gone, or down, as they could not be made, or started, again. */
  readonly lost: string[] = [];
  /** Run, and may not be stopped. */
  readonly unstoppable = new Map<string, MessageCode | undefined>();
  /** Workloads that have no pod, and would get none. */
  readonly idle: string[] = [];
  /** Are changed or deleted, and would be refused as they are now: a restore that fails could not put them back at once. */
  readonly oneWay: string[] = [];
  /** Not known, as a webhook knows no dry runs. */
  readonly inconclusive: string[] = [];

  /** Takes down a refusal by its weight; `isLost` says that it would take away a live object. */
  note({ refusals }: Pick<Trial, "refusals">, what: What, refusal: KubernetesError, isLost = false): void {
    const { namespace = "" } = what.object.metadata;
    const weight = refusals.weigh(refusal, namespace);
    const name = nameOf(namespace, what.type, what.object.metadata.name);
    const text = `${name}: ${refusal.message}`;
    if (weight === "inconclusive") this.inconclusive.push(text);
    if (weight === "held") (isLost ? this.lost : this.refused).push(text);
  }
}

export interface What {
  readonly type: ResourceType;
  readonly object: KubernetesObject;
}
