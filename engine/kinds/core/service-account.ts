import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";
import { isMadeForAccount } from "./account-secrets.ts";

export const serviceAccount: KindRules = {
  name: "serviceaccounts",
  needs: (account) => listOf(account["secrets"]).map(({ name = "" }) => ({ resource: "secrets", name })),
  wave: "settings",
  strip: sanitizeServiceAccount,
  saidToBeMissing: /serviceaccount "([^"]+)" not found/,
  merge: mergedServiceAccount,
};

/** Tokens that the cluster made for the old account are not there any more. */
function sanitizeServiceAccount(account: KubernetesObject): void {
  for (const field of ["secrets", "imagePullSecrets"]) {
    const references = account[field] as Reference[] | undefined;
    if (references) account[field] = references.filter((reference) => !isMadeByCluster(account, reference));
  }
}

/**
 * The patch that turns the existing account into the saved one: the cluster creates `default` by itself, and its additions
 * stay. Anything else that is there and was not saved is removed.
 */
export function mergedServiceAccount(existing: KubernetesObject, saved: KubernetesObject): object {
  const references = (field: "secrets" | "imagePullSecrets") => {
    const made = listOf(existing[field]).filter((reference) => isMadeByCluster(existing, reference));
    const all = [...made, ...listOf(saved[field])];
    return all.length > 0 ? [...new Map(all.map((reference) => [reference.name, reference])).values()] : null;
  };
  const { labels, annotations } = saved.metadata;
  return {
    metadata: {
      labels: { ...gone(existing.metadata.labels), ...labels },
      annotations: { ...gone(existing.metadata.annotations), ...annotations },
    },
    secrets: references("secrets"),
    imagePullSecrets: references("imagePullSecrets"),
    automountServiceAccountToken: saved["automountServiceAccountToken"] ?? null,
  };
}

interface Reference {
  readonly name?: string;
}

function listOf(references: unknown): readonly Reference[] {
  return (references ?? []) as Reference[];
}

function isMadeByCluster({ metadata: { name } }: KubernetesObject, { name: secret = "" }: Reference): boolean {
  return isMadeForAccount(name, "token", secret) || isMadeForAccount(name, "dockercfg", secret);
}

/** OpenShift names the account's registry token in one: https://docs.redhat.com/en/documentation/openshift_container_platform */
const clustersAnnotation = /^openshift\.io\//;

/** In a merge patch null takes a key away. */
function gone(map: Readonly<Record<string, string>> = {}): Record<string, null> {
  return Object.fromEntries(Object.keys(map).flatMap((key) => (clustersAnnotation.test(key) ? [] : [[key, null]])));
}
