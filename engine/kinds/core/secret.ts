import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import type { KindRules } from "../kind-rules.ts";
import { isMadeForAccount } from "./account-secrets.ts";

export const secret: KindRules = {
  name: "secrets",
  isMadeByCluster: (object) =>
    isToken(object) &&
    isMadeForAccount(
      object.metadata.annotations?.["kubernetes.io/service-account.name"] ?? "",
      "token",
      object.metadata.name,
    ),
  isMadeByClusterNeedsBody: true,
  isOpaque: true,
  /** A token whose account is missing is deleted by the cluster: these come first. */
  wave: "secrets",
  strip: sanitizeSecret,
  loss: (saved) =>
    isToken(saved) ? "it gets a new token, needed by anyone who uses the old one elsewhere" : undefined,
};

function isToken(secret: KubernetesObject): boolean {
  return secret["type"] === "kubernetes.io/service-account-token";
}

const filledIn = ["token", "ca.crt", "namespace"];

/**
 * A token that a user asked for is filled in again, for the new account.
 * https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets
 */
function sanitizeSecret(secret: KubernetesObject): void {
  if (!isToken(secret)) return;
  const data = secret["data"] as Record<string, string> | undefined;
  for (const field of filledIn) delete data?.[field];
  if (Object.keys(data ?? {}).length === 0) delete secret["data"];
  delete secret.metadata.annotations?.["kubernetes.io/service-account.uid"];
  delete secret.metadata.labels?.["kubernetes.io/legacy-token-last-used"];
}
