import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { isMadeForAccount } from "../../objects/object-selection.ts";

/** Tokens that the cluster made for the old account are not there any more. */
export function sanitizeServiceAccount(account: KubernetesObject): void {
  const { name } = account.metadata;
  const isMadeByCluster = (secret: string) =>
    isMadeForAccount(name, "token", secret) || isMadeForAccount(name, "dockercfg", secret);
  for (const field of ["secrets", "imagePullSecrets"]) {
    const references = account[field] as { name?: string }[] | undefined;
    if (references) account[field] = references.filter((reference) => !isMadeByCluster(reference.name ?? ""));
  }
}

/**
 * What the account that exists needs to become the saved one: the cluster makes `default` by itself, and what it has put
 * there stays.
 */
export function mergedServiceAccount(existing: KubernetesObject, saved: KubernetesObject): object {
  const union = (field: "secrets" | "imagePullSecrets") => {
    const all = [existing, saved].flatMap((account) => (account[field] ?? []) as { name?: string }[]);
    return [...new Map(all.map((reference) => [reference.name, reference])).values()];
  };
  const { labels, annotations } = saved.metadata;
  const [secrets, imagePullSecrets] = [union("secrets"), union("imagePullSecrets")];
  return {
    metadata: { ...(labels && { labels }), ...(annotations && { annotations }) },
    ...(secrets.length > 0 && { secrets }),
    ...(imagePullSecrets.length > 0 && { imagePullSecrets }),
    automountServiceAccountToken: saved["automountServiceAccountToken"] ?? null,
  };
}
