import { randomInt } from "node:crypto";
import { invalid } from "../objects/api-error.ts";
import type { Metadata } from "../objects/kubernetes-object.ts";
import type { Resource } from "../objects/resource.ts";

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** Kubernetes' own alphabet: no vowels, so no words. */
const letters = "bcdfghjklmnpqrstvwxz2456789";

/** Five random letters, as in the names of pods. */
export function randomSuffix(): string {
  return Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join("");
}

/** The name of an object to be created: the given one, or one made from `generateName`. */
export function nameOf(resource: Resource, metadata: Partial<Metadata>): string {
  const name = metadata.name || (metadata.generateName ? `${metadata.generateName}${randomSuffix()}` : "");
  if (name === "") throw invalid(resource, "", "metadata.name", "Required value: name or generateName is required");
  if (resource.group === "rbac.authorization.k8s.io") {
    if (/[/%]/.test(name))
      throw invalid(resource, name, "metadata.name", `Invalid value: "${name}": may not contain '/' or '%'`);
  } else if (name.length > 253 || !subdomain.test(name)) {
    const rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'";
    throw invalid(resource, name, "metadata.name", `Invalid value: "${name}": ${rule}`);
  }
  return name;
}
