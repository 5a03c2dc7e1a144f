import { DrsError } from "../../errors.ts";
import { wholeInPlace } from "../../jobs/parameters.ts";
import type { RestorePlan } from "../../model.ts";

/**
 * The plan that a caller asks for, of a backup of these namespaces; what is not said is as in `wholeInPlace`.
 * INVALID_ARGUMENT names what the backup does not have, or what does not go together. Whether it holds the objects is for
 * PRE_VALIDATION to find out, in its archive.
 */
export function checkedPlan(asked: Partial<RestorePlan>, includedNamespaces: readonly string[]): RestorePlan {
  const plan = { ...wholeInPlace, ...asked };
  const { selection, mapping } = plan;
  if (Object.keys(mapping).length > 0) throw invalid("a restore in place maps no namespaces");
  if (selection.what === "namespaces") {
    if (selection.namespaces.length === 0) throw invalid("the selection names no namespace");
    areSaved(selection.namespaces, includedNamespaces);
  }
  if (selection.what === "objects") {
    if (selection.objects.length === 0) throw invalid("the selection names no object");
    for (const { kind, namespace, name } of selection.objects)
      if (kind === "" || namespace === "" || name === "")
        throw invalid(
          `object ${JSON.stringify(`${kind} ${namespace}/${name}`)} has not all of kind, namespace and name`,
        );
    const namespaces = selection.objects.map(({ namespace }) => namespace);
    areSaved(namespaces, includedNamespaces);
  }
  return plan;
}

function areSaved(names: readonly string[], included: readonly string[]): void {
  const unknown = [...new Set(names)].filter((name) => !included.includes(name));
  if (unknown.length > 0)
    throw invalid(`the backup has no namespace ${unknown.join(", ")}: it has ${included.join(", ")}`);
}

function invalid(text: string): DrsError {
  return new DrsError("INVALID_ARGUMENT", text);
}
