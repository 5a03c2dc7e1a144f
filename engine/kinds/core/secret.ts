import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

const filledIn = ["token", "ca.crt", "namespace"];

/**
 * A token that a user asked for is filled in again, for the new account.
 * https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets
 */
export function sanitizeSecret(secret: KubernetesObject): void {
  if (secret["type"] !== "kubernetes.io/service-account-token") return;
  const data = secret["data"] as Record<string, string> | undefined;
  for (const field of filledIn) delete data?.[field];
  if (Object.keys(data ?? {}).length === 0) delete secret["data"];
  delete secret.metadata.annotations?.["kubernetes.io/service-account.uid"];
  delete secret.metadata.labels?.["kubernetes.io/legacy-token-last-used"];
}
