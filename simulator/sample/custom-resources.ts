import type { Cluster } from "../cluster.ts";
import { createObject } from "../objects/create-object.ts";
import { exactNumber } from "../objects/json.ts";
import type { KubernetesObject, NewObject } from "../objects/kubernetes-object.ts";
import { configMap, mainNamespace, object } from "./builders.ts";

const group = "platform.cdp.example";
const apiVersion = `${group}/v1`;
/** The first whole number that a double cannot hold. */
const beyondDouble = 9_007_199_254_740_993n;

export const definitions: readonly NewObject[] = [definition("Environment"), definition("Workspace")];

/** Custom resources that own each other and a config map; one is held by a finalizer that nothing here removes. */
export function createCustomResources(cluster: Cluster): void {
  for (const [index, name] of ["production", "staging"].entries()) {
    const environment = create(cluster, {
      ...object(apiVersion, "Environment", mainNamespace, name),
      spec: {
        region: "us-west-1",
        serial: exactNumber(beyondDouble + BigInt(index)),
        ratio: exactNumber("0.50"),
        tags: { tier: name },
      },
    });
    const workspace = create(
      cluster,
      owned(environment, object(apiVersion, "Workspace", mainNamespace, `${name}-warehouse`)),
      {
        spec: { environment: name, size: "medium", autoStop: { enabled: true, minutes: 45 } },
      },
    );
    create(
      cluster,
      owned(workspace, configMap(`${name}-warehouse-catalog`, { "catalog.sql": "create schema sample;\n" })),
    );
  }
  create(cluster, {
    ...object(apiVersion, "Environment", mainNamespace, "sandbox"),
    metadata: { name: "sandbox", namespace: mainNamespace, finalizers: [`${group}/release-network`] },
    spec: { region: "us-west-1", serial: 3 },
  });
}

function create(cluster: Cluster, wish: NewObject, content: object = {}): KubernetesObject {
  const resource = cluster.registry.ofKind(wish.apiVersion, wish.kind);
  if (resource === undefined) throw new Error(`no kind ${wish.apiVersion} ${wish.kind}`);
  return createObject(cluster, resource, { ...wish, ...content });
}

function owned({ apiVersion, kind, metadata: { name, uid } }: KubernetesObject, wish: NewObject): NewObject {
  const ownerReferences = [{ apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }];
  return { ...wish, metadata: { ...wish.metadata, ownerReferences } };
}

function definition(kind: string): NewObject {
  const plural = `${kind.toLowerCase()}s`;
  const schema = {
    openAPIV3Schema: {
      type: "object",
      properties: {
        spec: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      },
    },
  };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural },
      versions: [{ name: "v1", served: true, storage: true, schema, subresources: { status: {} } }],
    },
  };
}
