import type { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { apiPath } from "../support/kubernetes-client.ts";
import { diceFrom } from "./dice.ts";
import { pathOf, pathOfKind } from "./kinds.ts";
import type { World } from "./world.ts";

/** Does the damage that a restore is for. */
export async function wreck(world: World, cluster: TestCluster): Promise<void> {
  const { kubernetes } = cluster;
  switch (world.wreck) {
    case "nothing":
      return;
    case "objects":
      for (const object of diceFrom(world.seed).some(world.objects, world.lost))
        if (!/^(PersistentVolume|CustomResourceDefinition)$/.test(object.kind))
          await kubernetes.delete(pathOf(object, "object")).catch(() => {});
      return;
    case "definitions":
      for (const object of world.objects.filter(({ kind }) => kind === "CustomResourceDefinition")) {
        await kubernetes.delete(pathOf(object, "object"));
        await eventually(`${object.metadata.name} is gone`, async () => {
          await release(world, cluster);
          return !(await kubernetes.find(pathOf(object, "object")));
        });
      }
      return;
    case "namespaces":
      // It would not let what is in them go.
      await kubernetes.delete(
        `${pathOfKind("admissionregistration.k8s.io/v1/validatingwebhookconfigurations")}/${world.name}-own`,
      );
      await removeNamespaces(world.namespaces, world, cluster);
  }
}

/** Kinds that keep a namespace for long when it finds some of theirs in it, however soon those go. */
const slowKinds = [
  "apps/v1/deployments",
  "apps/v1/statefulsets",
  "apps/v1/daemonsets",
  "batch/v1/jobs",
  "v1/pods",
  "v1/persistentvolumeclaims",
];

/** Deletes namespaces and waits until they are gone, whatever holds what is in them. */
export async function removeNamespaces(names: readonly string[], world: World, cluster: TestCluster): Promise<void> {
  const { kubernetes } = cluster;
  // A policy may forbid some of it for a moment longer than it is there; what is left then goes with the namespace.
  for (const name of names)
    for (const kind of slowKinds) await kubernetes.delete(pathOfKind(kind, name)).catch(() => {});
  for (const name of names) await kubernetes.delete(pathOfNamespace(name));
  await eventually(
    `${names.join()} are gone`,
    async () => {
      await release(world, cluster);
      const left = await Promise.all(names.map((name) => kubernetes.find(pathOfNamespace(name))));
      return left.every((it) => it === undefined);
    },
    { timeout: 120_000, interval: 300 },
  );
}

/** Their controller does not run: nobody else takes the finalizers from them. */
async function release({ name, namespaces, objects }: World, { kubernetes }: TestCluster): Promise<void> {
  const widgets = objects.some(({ kind }) => kind === "Widget") ? [`${name}.example.com/v1/widgets`] : [];
  for (const namespace of namespaces)
    for (const kind of ["v1/configmaps", ...widgets])
      for (const { metadata } of await kubernetes.list(pathOfKind(kind, namespace)))
        if (metadata.finalizers?.includes("example.com/hold") && metadata["deletionTimestamp"] !== undefined)
          await kubernetes
            .patch(`${pathOfKind(kind, namespace)}/${metadata.name}`, { metadata: { finalizers: null } })
            .catch(() => {});
}

function pathOfNamespace(name: string): string {
  return apiPath({ apiVersion: "v1", resource: "namespaces" }, undefined, name);
}
