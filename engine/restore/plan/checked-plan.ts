import { DrsError } from "../../errors.ts";
import { wholeInPlace } from "../../jobs/parameters.ts";
import type { RestorePlan } from "../../model.ts";
import { namespacesOf } from "../source/scope.ts";

/**
 * The plan that a caller requests, of a backup of these namespaces; the defaults are those of `wholeInPlace`.
 * INVALID_ARGUMENT names what the backup lacks, or the contradiction. Whether it holds the objects is for
 * PRE_VALIDATION to find out, in its archive.
 */
export function checkedPlan(asked: Partial<RestorePlan>, includedNamespaces: readonly string[]): RestorePlan {
  const plan = { ...wholeInPlace, ...asked };
  const { selection, mode } = plan;
  if (mode === "remove-scratch") throw invalid("what a scratch restore has made is removed by a call of its own");
  if (selection.what === "namespaces") {
    if (selection.namespaces.length === 0) throw invalid("the selection names no namespace");
    areSaved(selection.namespaces, includedNamespaces);
  }
  if (selection.what === "objects") {
    if (selection.objects.length === 0) throw invalid("the selection names no object");
    for (const { kind, namespace, name } of selection.objects)
      if (kind === "" || namespace === "" || name === "")
        throw invalid(`object ${JSON.stringify(`${kind} ${namespace}/${name}`)} needs kind, namespace and name`);
    const namespaces = selection.objects.map(({ namespace }) => namespace);
    areSaved(namespaces, includedNamespaces);
  }
  checkMapping(plan, includedNamespaces);
  return plan;
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names */
const namespaceName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

function checkMapping({ selection, mode, mapping }: RestorePlan, included: readonly string[]): void {
  if (mode !== "scratch") {
    if (Object.keys(mapping).length > 0)
      throw invalid(`namespaces are mapped by a scratch restore only, not by ${mode}`);
    return;
  }
  areSaved(Object.keys(mapping), included);
  const from = new Map<string, string>();
  for (const saved of namespacesOf(included, selection)) {
    const target = mapping[saved];
    if (target === undefined) throw invalid(`a scratch restore maps each namespace, but ${saved} has no target`);
    if (!namespaceName.test(target))
      throw invalid(`${JSON.stringify(target.slice(0, 100))} is not the name of a namespace`);
    if (included.includes(target)) throw invalid(`${saved} cannot go to ${target}, which is a namespace of the backup`);
    const other = from.get(target);
    if (other !== undefined) throw invalid(`${other} and ${saved} cannot both go to ${target}`);
    from.set(target, saved);
  }
  const unselected = Object.keys(mapping).filter((saved) => ![...from.values()].includes(saved));
  if (unselected.length > 0) throw invalid(`${unselected.join(", ")} is mapped and not selected`);
}

function areSaved(names: readonly string[], included: readonly string[]): void {
  const unknown = [...new Set(names)].filter((name) => !included.includes(name));
  if (unknown.length > 0)
    throw invalid(`the backup has no namespace ${unknown.join(", ")}: it has ${included.join(", ")}`);
}

function invalid(text: string): DrsError {
  return new DrsError("INVALID_ARGUMENT", text);
}
