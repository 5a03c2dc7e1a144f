import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import { rulesOf } from "./kinds.ts";
import { sanitize } from "./sanitize.ts";
import { inVersion, type ServedType } from "./served-types.ts";

/**
 * The body with which the restore makes an archived object, but for its owners: the one that PRE_VALIDATION tries is the
 * one that is sent later. An object that runs as soon as it exists is created so that it does not run, and one that judges others so that it does
 * not judge them; with `started` as it was saved.
 */
export function wantedObject(
  type: ServedType,
  archived: KubernetesObject,
  { started = false }: { readonly started?: boolean } = {},
): KubernetesObject {
  const object = inVersion(sanitize(type, archived), type.apiVersion);
  return rulesOf(type).make?.(object, archived, { started }) ?? object;
}
