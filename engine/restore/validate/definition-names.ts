import { DrsError } from "../../errors.ts";
import { customResourceDefinitions } from "../../kubernetes/built-in-kinds.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

/** As `spec.names` and `status.acceptedNames` have them. */
interface Names {
  readonly plural?: string;
  readonly singular?: string;
  readonly shortNames?: readonly string[];
  readonly kind?: string;
  readonly listKind?: string;
}

/**
 * FAILED_PRECONDITION when another definition has a name that one of these needs: its kind would not be served. In a group the
 * first definition that asks for a name has it:
 * https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/ (NamesAccepted)
 */
export async function namesAreFree(
  wanted: readonly KubernetesObject[],
  cluster: Cluster,
  signal: AbortSignal,
): Promise<void> {
  if (wanted.length === 0) return;
  for await (const present of cluster.list(customResourceDefinitions, "", signal)) {
    const taken = namesOf((present["status"] as { acceptedNames?: Names } | undefined)?.acceptedNames);
    for (const definition of wanted) {
      if (present.metadata.name === definition.metadata.name || groupOf(present) !== groupOf(definition)) continue;
      const both = namesOf((definition["spec"] as { names: Names }).names).intersection(taken);
      if (both.size > 0)
        throw new DrsError(
          "FAILED_PRECONDITION",
          `CustomResourceDefinition ${definition.metadata.name} could not be served: ${present.metadata.name} has ` +
            `its ${[...both].join(", ")}; delete that one`,
          { id: "DRS-R012" },
        );
    }
  }
}

/** A definition's names: those of resources and those of kinds do not conflict with each other. */
function namesOf({ plural, singular, shortNames = [], kind, listKind }: Names = {}): ReadonlySet<string> {
  const resources = [plural, singular, ...shortNames].map((name) => name && `resource ${name}`);
  const kinds = [kind, listKind].map((name) => name && `kind ${name}`);
  return new Set([...resources, ...kinds].flatMap((name) => name || []));
}

function groupOf({ spec }: KubernetesObject): unknown {
  return (spec as { group?: unknown }).group;
}
