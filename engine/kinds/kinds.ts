import { type ResourceType, resourceName } from "../kubernetes/kubernetes-object.ts";
import { horizontalPodAutoscaler, podDisruptionBudget } from "./apps/budgets.ts";
import { controllerRevision } from "./apps/controller-revision.ts";
import { daemonSet } from "./apps/daemon-set.ts";
import { deployment } from "./apps/deployment.ts";
import { replicaSet } from "./apps/replica-set.ts";
import { statefulSet } from "./apps/stateful-set.ts";
import { cronJob } from "./batch/cron-job.ts";
import { job } from "./batch/job.ts";
import { claim } from "./core/claim.ts";
import { configMap } from "./core/config-map.ts";
import { endpoints } from "./core/endpoints.ts";
import { limitRange } from "./core/limit-range.ts";
import { namespace } from "./core/namespace.ts";
import { persistentVolume } from "./core/persistent-volume.ts";
import { pod } from "./core/pod.ts";
import { podTemplate } from "./core/pod-templates.ts";
import { replicationController } from "./core/replication-controller.ts";
import { resourceQuota } from "./core/resource-quota.ts";
import { secret } from "./core/secret.ts";
import { service } from "./core/service.ts";
import { serviceAccount } from "./core/service-account.ts";
import { admissionPolicies } from "./extensions/admission-policies.ts";
import { apiService } from "./extensions/api-service.ts";
import { customResourceDefinition } from "./extensions/custom-resource-definition.ts";
import { mutatingWebhookConfiguration, validatingWebhookConfiguration } from "./extensions/webhook-configurations.ts";
import type { KindRules } from "./kind-rules.ts";
import { endpointSlice } from "./network/endpoint-slice.ts";
import { gateway, gatewayClass } from "./network/gateway.ts";
import { ingress, route } from "./network/ingress.ts";
import { ingressClass } from "./network/ingress-class.ts";
import { networkPolicy } from "./network/network-policy.ts";
import { kindsOfCluster } from "./of-cluster.ts";
import { clusterRole } from "./rbac/cluster-role.ts";
import { clusterRoleBinding } from "./rbac/cluster-role-binding.ts";
import { role } from "./rbac/role.ts";
import { roleBinding } from "./rbac/role-binding.ts";
import { deviceClass } from "./scheduling/device-class.ts";
import { priorityClass } from "./scheduling/priority-class.ts";
import { resourceClaim, resourceClaimTemplate } from "./scheduling/resource-claim.ts";
import { runtimeClass } from "./scheduling/runtime-class.ts";
import { storageClass } from "./storage/storage-class.ts";
import { volumeAttributesClass } from "./storage/volume-attributes-class.ts";
import { volumeGroupSnapshot, volumeSnapshot } from "./storage/volume-snapshot.ts";
import { volumeSnapshotClass } from "./storage/volume-snapshot-class.ts";

/**
 * Every kind of which something is special. The order counts within some of the waves (`Wave`): of cluster-scoped kinds what comes
 * later may need what comes before, and workloads are scaled, and what runs is made, from top to bottom.
 */
export const kinds: readonly KindRules[] = [
  // cluster-scoped
  customResourceDefinition,
  priorityClass,
  runtimeClass,
  deviceClass,
  ingressClass,
  gatewayClass,
  storageClass,
  volumeAttributesClass,
  volumeSnapshotClass,
  clusterRole,
  clusterRoleBinding,
  apiService,
  ...admissionPolicies,
  mutatingWebhookConfiguration,
  validatingWebhookConfiguration,
  namespace,
  persistentVolume,
  ...kindsOfCluster,

  // what others use
  serviceAccount,
  configMap,
  podTemplate,
  secret,
  resourceQuota,
  limitRange,
  role,
  roleBinding,
  endpoints,
  endpointSlice,
  service,
  networkPolicy,
  ingress,
  route,
  gateway,
  resourceClaim,
  resourceClaimTemplate,
  claim,
  volumeSnapshot,
  volumeGroupSnapshot,

  // what runs
  statefulSet,
  deployment,
  replicaSet,
  controllerRevision,
  replicationController,
  daemonSet,
  cronJob,
  job,
  pod,
  podDisruptionBudget,
  horizontalPodAutoscaler,
];

const byName: ReadonlyMap<string, KindRules> = new Map(kinds.map((kind) => [kind.name, kind]));
const none: Omit<KindRules, "name"> = {};

/** The rules of a kind; none for one of which nothing is special. */
export function rulesOf(type: Pick<ResourceType, "apiVersion" | "resource">): Omit<KindRules, "name"> {
  return rulesFor(resourceName(type));
}

/** The same by its resource's name. */
export function rulesFor(name: string): Omit<KindRules, "name"> {
  return byName.get(name) ?? none;
}

/** The names of the kinds for which `have` holds, in the order of the table. */
export function kindsThat(have: (rules: KindRules) => unknown): readonly string[] {
  return kinds.filter((kind) => Boolean(have(kind))).map(({ name }) => name);
}
