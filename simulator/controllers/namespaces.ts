import type { Cluster } from "../cluster.ts";
import { createObject } from "../objects/create-object.ts";
import { deleteObject } from "../objects/delete-object.ts";
import type { Namespace } from "../objects/kinds.ts";
import { isDeleting, keyOf, splitKey } from "../objects/kubernetes-object.ts";
import { builtIn } from "../objects/registry.ts";
import { changeObject } from "../objects/update-object.ts";
import type { Controller } from "./controller.ts";

const namespaces = builtIn("namespaces");
const serviceAccounts = builtIn("serviceaccounts");
const configMaps = builtIn("configmaps");

/** Gives each namespace what it starts with, and empties one that is deleted before it lets it go. */
export function namespaceController(cluster: Cluster): Controller {
  const { store, registry } = cluster;

  function fill(name: string): void {
    if (store.get(serviceAccounts, `${name}/default`) === undefined) {
      createObject(cluster, serviceAccounts, {
        kind: "ServiceAccount",
        apiVersion: "v1",
        metadata: { namespace: name, name: "default" },
      });
    }
    if (store.get(configMaps, `${name}/kube-root-ca.crt`) === undefined) {
      createObject(cluster, configMaps, {
        kind: "ConfigMap",
        apiVersion: "v1",
        metadata: {
          namespace: name,
          name: "kube-root-ca.crt",
          annotations: {
            "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver.",
          },
        },
        data: { "ca.crt": "-----BEGIN CERTIFICATE-----\nc2ltdWxhdG9y\n-----END CERTIFICATE-----\n" },
      });
    }
  }

  function empty(name: string): void {
    let left = 0;
    for (const resource of registry.kinds().filter(({ namespaced }) => namespaced)) {
      for (const object of store.list(resource, name)) {
        if (isDeleting(object) || !deleteObject(cluster, resource, keyOf(object)).gone) left++;
      }
    }
    if (left > 0) return;
    changeObject<Namespace>(cluster, namespaces, `/${name}`, ({ spec }) => {
      if (spec) spec.finalizers = [];
    });
  }

  return {
    *concerns({ resource, object, type }) {
      if (resource === namespaces) yield keyOf(object);
      // Its last object gone, a namespace may go; what every namespace has comes back.
      else if (type === "DELETED" && resource.namespaced) yield `/${object.metadata.namespace}`;
    },
    reconcile(key) {
      const namespace = store.get(namespaces, key);
      if (namespace === undefined) return;
      const { name } = splitKey(key);
      if (isDeleting(namespace)) empty(name);
      else fill(name);
    },
  };
}
