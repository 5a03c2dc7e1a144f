import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";

/** A Secret by its place. */
export interface SecretPlace {
  readonly namespace: string;
  readonly name: string;
}

const prefix = "csi.storage.k8s.io/";
const uses = [
  "provisioner",
  "controller-publish",
  "node-stage",
  "node-publish",
  "controller-expand",
  "node-expand",
  "controller-modify",
] as const;
/** As the first drivers' classes have them. */
const formerly: Readonly<Partial<Record<(typeof uses)[number], string>>> = {
  provisioner: "csiProvisionerSecret",
  "controller-publish": "csiControllerPublishSecret",
  "node-stage": "csiNodeStageSecret",
  "node-publish": "csiNodePublishSecret",
};

/**
 * The Secrets that a driver is given to make, attach, mount and enlarge the volume of a claim, as its storage class says. Those
 * that are named after a volume which is yet to be made are not among them.
 * https://github.com/kubernetes-csi/external-provisioner/blob/v6.4.0/pkg/controller/controller.go
 */
export function secretsForClaim(
  storageClass: KubernetesObject,
  { metadata }: KubernetesObject,
): readonly SecretPlace[] {
  const parameters = (storageClass["parameters"] ?? {}) as Readonly<Record<string, string>>;
  const { namespace = "", name, annotations = {} } = metadata;
  const known: Record<string, string> = { "pvc.name": name, "pvc.namespace": namespace };
  for (const [key, value] of Object.entries(annotations)) known[`pvc.annotations['${key}']`] = value;
  const found = new Map<string, SecretPlace>();
  for (const use of uses) {
    const template =
      templateOf(parameters, `${prefix}${use}-secret-name`, `${prefix}${use}-secret-namespace`) ??
      templateOf(parameters, `${formerly[use]}Name`, `${formerly[use]}Namespace`) ??
      templateOf(parameters, `${prefix}secret-name`, `${prefix}secret-namespace`);
    const place = template && {
      namespace: resolved(template.namespace, known),
      name: resolved(template.name, known),
    };
    if (place?.namespace === undefined || place.name === undefined) continue;
    found.set(`${place.namespace}/${place.name}`, { namespace: place.namespace, name: place.name });
  }
  return [...found.values()];
}

function templateOf(
  parameters: Readonly<Record<string, string>>,
  nameKey: string,
  namespaceKey: string,
): SecretPlace | undefined {
  const [name, namespace] = [parameters[nameKey], parameters[namespaceKey]];
  return name === undefined || namespace === undefined ? undefined : { name, namespace };
}

/** A template with what it asks for put in; undefined when that is not known. */
function resolved(template: string, known: Readonly<Record<string, string>>): string | undefined {
  let isKnown = true;
  const text = template.replaceAll(/\$(?:\{([^}]*)\}|(\w+))/g, (_, braced?: string, bare?: string) => {
    const value = known[braced ?? bare ?? ""];
    isKnown &&= value !== undefined;
    return value ?? "";
  });
  return isKnown ? text : undefined;
}

/** The Secrets that a volume which exists is attached, mounted, enlarged and deleted with. */
export function secretsOfVolume({ metadata, ...volume }: KubernetesObject): readonly SecretPlace[] {
  const { csi = {} } = (volume["spec"] ?? {}) as { csi?: Record<string, unknown> };
  const references = Object.entries(csi)
    .filter(([field]) => field.endsWith("SecretRef"))
    .map(([, reference]) => reference as Partial<SecretPlace>);
  const { annotations = {} } = metadata;
  const name = annotations["volume.kubernetes.io/provisioner-deletion-secret-name"];
  const namespace = annotations["volume.kubernetes.io/provisioner-deletion-secret-namespace"];
  return [...references, { name, namespace }].flatMap((place) =>
    place.name !== undefined && place.namespace !== undefined ? [{ name: place.name, namespace: place.namespace }] : [],
  );
}
