import { isDeepStrictEqual } from "node:util";
import { canonicalJson } from "../../kubernetes/exact-json.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { digestOf } from "../compare/comparison.ts";
import { listed } from "../../objects/listed.ts";
import { type RestoreSource, type Reporter, warnOtherwise } from "../source/restore-source.ts";
import { rulesOf } from "../../kinds/kinds.ts";
import { sanitize } from "../../kinds/sanitize.ts";
import type { ServedType } from "../../kinds/served-types.ts";

/** The cluster's choice of these is reported elsewhere. */
const allocated = /^spec\.(clusterIPs?|healthCheckNodePort|ports)\b/;

/**
 * Changes by the cluster in objects as it took them: a mutating webhook or policy, a limit range, a default of a newer
 * version. They are not as they were saved then, and a warning names them and the fields, together for a kind and namespace.
 */
export class ChangedByCluster {
  readonly #found = new Map<string, { readonly namespace: string; readonly kind: string; readonly names: string[] }>();

  /** Compares the object sent with the API server's answer. */
  look(type: ServedType, sent: KubernetesObject, made: KubernetesObject): void {
    if (rulesOf(type).merge) return; // with the live object
    const [one, other] = [sanitize(type, sent), sanitize(type, made)];
    // Most are the same to the last value, for which no digest is needed.
    if (isDeepStrictEqual(one, other) || digestOf(type, sent) === digestOf(type, made)) return;
    const fields = differingFields(one, other).filter((field) => !allocated.test(field));
    if (fields.length === 0) return;
    const { namespace = "", name } = made.metadata;
    const what = `the cluster changed ${listed(fields)}`;
    const key = `${namespace}/${type.kind}/${what}`;
    const found = this.#found.get(key) ?? { namespace, kind: type.kind, names: [] };
    this.#found.set(key, found);
    found.names.push(name);
  }

  report(context: Reporter, source: Pick<RestoreSource, "notesPrefix">): void {
    for (const [key, { namespace, kind, names }] of this.#found) {
      const what = key.slice(`${namespace}/${kind}/`.length);
      warnOtherwise(
        context,
        source,
        "DRS-R061",
        namespace,
        `${kind} ${listed(names)} ${names.length === 1 ? "is" : "are"} not exactly as saved: ${what}; see which webhook, policy, limit range or default does that`,
      );
    }
    this.#found.clear();
  }
}

/** The paths of fields that are not the same: the topmost that one of the two lacks, or the value itself. */
function differingFields(one: unknown, other: unknown, path = ""): readonly string[] {
  if (canonicalJson(one ?? null) === canonicalJson(other ?? null)) return [];
  if (!isContainer(one) || !isContainer(other)) return [path];
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].flatMap((key) => differingFields(one[key], other[key], path === "" ? key : `${path}.${key}`));
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Object.isFrozen(value);
}
