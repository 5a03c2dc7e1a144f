import type { NewObject } from "../objects/kubernetes-object.ts";
import {
  claimSpec,
  configMap,
  cronJob,
  daemonSet,
  deployment,
  disruptionBudget,
  mainNamespace,
  object,
  roleFor,
  secret,
  service,
  serviceAccount,
  statefulSet,
} from "./builders.ts";

const database = "cdp-embedded-db";
const apiPort = 8443;
const databasePort = 5432;

/** The main namespace of the sample control plane, and what belongs to it outside of it. */
export const controlPlane: readonly NewObject[] = [
  {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: mainNamespace,
      labels: { "pod-security.kubernetes.io/enforce": "baseline" },
      annotations: { "example.com/owner": "platform" },
    },
  },
  object("scheduling.k8s.io/v1", "PriorityClass", "", "cdp-critical", {
    value: 900_000,
    description: "the control plane's database",
  }),

  serviceAccount("cdp-api"),
  serviceAccount("cdp-controller"),
  serviceAccount(database),
  ...roleFor("cdp-api", [{ apiGroups: [""], resources: ["configmaps", "secrets"], verbs: ["get", "list", "watch"] }]),
  ...roleFor("cdp-controller", [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }]),
  object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "cdp-controller", {
    rules: [
      { apiGroups: ["platform.cdp.example"], resources: ["*"], verbs: ["*"] },
      { apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "watch"] },
    ],
  }),
  object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "cdp-controller", {
    subjects: [{ kind: "ServiceAccount", name: "cdp-controller", namespace: mainNamespace }],
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cdp-controller" },
  }),

  configMap("cdp-api-config", {
    LISTEN: `:${apiPort}`,
    LOG_LEVEL: "info",
    "application.yaml": "sessions:\n  idle: 30m\n",
  }),
  configMap("cdp-scheduler-config", { WORKERS: "4", TIMEZONE: "UTC" }),
  configMap("cdp-feature-flags", { "flags.json": '{"newConsole": true, "usageReport": false}' }),
  configMap("cdp-log-agent-config", { "agent.conf": "[input]\npath = /var/log/containers\n" }),
  configMap(`${database}-config`, { POSTGRES_DB: "cdp", "postgresql.conf": "max_connections = 200\n" }),
  object("v1", "ConfigMap", mainNamespace, "cdp-branding", {
    data: { title: "Steuerungsebene – Übersicht ☁" },
    binaryData: { "favicon.ico": Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString("base64") },
  }),
  secret(`${database}-credentials`, "Opaque", { POSTGRES_USER: "cdp", POSTGRES_PASSWORD: "sample-not-a-password" }),
  secret("cdp-api-signing-key", "Opaque", {
    "key.pem": "-----BEGIN SAMPLE KEY-----\nbm90IGEga2V5\n-----END SAMPLE KEY-----\n",
  }),
  secret("cdp-ingress-tls", "kubernetes.io/tls", {
    "tls.crt": "-----BEGIN CERTIFICATE-----\nc2FtcGxl\n-----END CERTIFICATE-----\n",
    "tls.key": "-----BEGIN SAMPLE KEY-----\nbm90IGEga2V5\n-----END SAMPLE KEY-----\n",
  }),
  secret("cdp-registry", "kubernetes.io/dockerconfigjson", {
    ".dockerconfigjson": '{"auths":{"registry.example":{"auth":"c2FtcGxlOnNhbXBsZQ=="}}}',
  }),

  object("v1", "PersistentVolumeClaim", mainNamespace, "cdp-artifacts", { spec: claimSpec("ReadWriteMany", "5Gi") }),
  service(database, databasePort, mainNamespace, { clusterIP: "None", publishNotReadyAddresses: true }),
  service("cdp-api", apiPort),
  service("cdp-console", 8080),
  service("cdp-environments", 8081),
  service("cdp-monitoring", 9090, mainNamespace, { type: "NodePort" }),
  statefulSet(database, "10Gi", {
    serviceName: database,
    account: database,
    port: databasePort,
    configMap: `${database}-config`,
    secret: `${database}-credentials`,
    priorityClassName: "cdp-critical",
  }),
  deployment("cdp-api", {
    replicas: 3,
    account: "cdp-api",
    port: apiPort,
    configMap: "cdp-api-config",
    secret: "cdp-api-signing-key",
  }),
  deployment("cdp-console", { port: 8080, configMap: "cdp-branding" }),
  deployment("cdp-controller", { account: "cdp-controller" }),
  deployment("cdp-environments", { port: 8081, account: "cdp-api", claim: "cdp-artifacts" }),
  deployment("cdp-monitoring", { port: 9090 }),
  deployment("cdp-scheduler", { configMap: "cdp-scheduler-config" }),
  daemonSet("cdp-log-agent", { configMap: "cdp-log-agent-config" }),
  cronJob("cdp-audit-cleanup", "30 3 * * *", { configMap: "cdp-scheduler-config" }),
  cronJob("cdp-usage-report", "0 6 * * 1", { configMap: "cdp-scheduler-config" }),

  object("autoscaling/v2", "HorizontalPodAutoscaler", mainNamespace, "cdp-api", {
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "cdp-api" },
      minReplicas: 2,
      maxReplicas: 6,
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } } },
      ],
    },
  }),
  disruptionBudget("cdp-api"),
  disruptionBudget(database),
  object("networking.k8s.io/v1", "Ingress", mainNamespace, "cdp", {
    spec: {
      tls: [{ hosts: ["console.cdp.example"], secretName: "cdp-ingress-tls" }],
      rules: [
        {
          host: "console.cdp.example",
          http: {
            paths: [
              { path: "/", pathType: "Prefix", backend: { service: { name: "cdp-console", port: { name: "main" } } } },
            ],
          },
        },
      ],
    },
  }),
  object("networking.k8s.io/v1", "NetworkPolicy", mainNamespace, database, {
    spec: {
      podSelector: { matchLabels: { app: database } },
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ podSelector: {} }], ports: [{ protocol: "TCP", port: databasePort }] }],
    },
  }),
  object("v1", "ResourceQuota", mainNamespace, "cdp", { spec: { hard: { pods: "100", "requests.storage": "200Gi" } } }),
  object("v1", "LimitRange", mainNamespace, "cdp", {
    spec: { limits: [{ type: "Container", defaultRequest: { cpu: "50m", memory: "64Mi" } }] },
  }),
  object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", "cdp-environments", {
    webhooks: [
      {
        name: "environments.platform.cdp.example",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Fail",
        clientConfig: {
          service: { namespace: mainNamespace, name: "cdp-environments", path: "/validate", port: 8081 },
        },
        rules: [
          {
            apiGroups: ["platform.cdp.example"],
            apiVersions: ["*"],
            operations: ["CREATE"],
            resources: ["environments"],
          },
        ],
      },
    ],
  }),
];
