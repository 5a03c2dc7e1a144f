import { apiService } from "./extensions/api-service.ts";
import { customResourceDefinition } from "./extensions/custom-resource-definition.ts";
import { mutatingWebhookConfiguration, validatingWebhookConfiguration } from "./extensions/webhook-configurations.ts";
import { namespace } from "./core/namespace.ts";
import { persistentVolume } from "./core/persistent-volume.ts";
import type { KindRules } from "./kind-rules.ts";
import { gatewayClass } from "./network/gateway.ts";
import { ingressClass } from "./network/ingress-class.ts";
import { clusterRole } from "./rbac/cluster-role.ts";
import { clusterRoleBinding } from "./rbac/cluster-role-binding.ts";
import { deviceClass } from "./scheduling/device-class.ts";
import { priorityClass } from "./scheduling/priority-class.ts";
import { runtimeClass } from "./scheduling/runtime-class.ts";
import { storageClass } from "./storage/storage-class.ts";
import { volumeAttributesClass } from "./storage/volume-attributes-class.ts";
import { volumeSnapshotClass } from "./storage/volume-snapshot-class.ts";

/** The cluster-scoped kinds of which a backup looks for what it needs, in this order: some say which of later ones are needed. */
export const readingOrder: readonly KindRules[] = [
  gatewayClass,
  customResourceDefinition,
  priorityClass,
  runtimeClass,
  deviceClass,
  ingressClass,
  storageClass,
  volumeAttributesClass,
  volumeSnapshotClass,
  namespace,
  persistentVolume,
  clusterRoleBinding,
  clusterRole,
  validatingWebhookConfiguration,
  mutatingWebhookConfiguration,
  apiService,
];
