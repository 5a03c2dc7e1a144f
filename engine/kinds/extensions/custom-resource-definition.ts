import { setTimeout as sleep } from "node:timers/promises";
import { DrsError } from "../../errors.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";
import type { Written } from "../restoring-rules.ts";
import type { Kind } from "../saving-rules.ts";

export const customResourceDefinition: KindRules = {
  name: "customresourcedefinitions.apiextensions.k8s.io",
  read: "get",
  noteNeeds: ({ spec }, { roles }) => roles.noteGroup((spec as { group?: string } | undefined)?.group ?? ""),
  isUsedOnlyBy: (object, { areOurs }) => areOurs([definedBy(object)], () => true),
  wave: "cluster",
  whenMade: established,
  /** With it go all objects of its kind. */
  isNeverRecreated: true,
};

/** The kind that a definition defines, in a version that is served. */
function definedBy(definition: KubernetesObject): Kind {
  const { group, names, versions } = definition["spec"] as {
    group: string;
    names: { plural: string };
    versions: { name: string; served: boolean; storage: boolean }[];
  };
  const version = versions.find(({ served, storage }) => served && storage) ?? versions.find(({ served }) => served);
  return { apiVersion: `${group}/${version?.name ?? ""}`, resource: names.plural };
}

const establishedTimeoutMs = 60_000;

/** Until then the API server refuses the kind's objects. FAILED_PRECONDITION when it takes too long. */
async function established({ cluster, type, archived, signal }: Written): Promise<void> {
  const limit = Date.now() + establishedTimeoutMs;
  for (let delay = 50; ; delay = Math.min(delay * 2, 1_000)) {
    const status = (await cluster.get(type, "", archived.metadata.name, signal))?.["status"] as
      | { conditions?: { type: string; status: string; message?: string }[] }
      | undefined;
    const isTrue = (condition: string) =>
      status?.conditions?.some((it) => it.type === condition && it.status === "True") === true;
    if (isTrue("Established") && isTrue("NamesAccepted")) return;
    if (Date.now() > limit)
      throw new DrsError(
        "FAILED_PRECONDITION",
        `its kind is not served after ${establishedTimeoutMs / 1000} s: see its status`,
        { id: "DRS-R046" },
      );
    await sleep(delay, undefined, { signal });
  }
}
