import type { NewObject } from "../objects/kubernetes-object.ts";

/** The parts of which the sample is made; names and numbers are the sample's own. */

export const mainNamespace = "cdp";
const registry = "registry.example/cdp";
const partOf = { "app.kubernetes.io/part-of": "control-plane" };

export function object(
  apiVersion: string,
  kind: string,
  namespace: string,
  name: string,
  content: object = {},
): NewObject {
  const metadata = { name, ...(namespace === "" ? {} : { namespace }), labels: { app: name, ...partOf } };
  return { apiVersion, kind, metadata, ...content };
}

export function configMap(name: string, data: Record<string, string>, namespace = mainNamespace): NewObject {
  return object("v1", "ConfigMap", namespace, name, { data });
}

export function secret(name: string, type: string, data: Record<string, string>, namespace = mainNamespace): NewObject {
  return object("v1", "Secret", namespace, name, { type, stringData: data });
}

export function serviceAccount(name: string, namespace = mainNamespace): NewObject {
  return object("v1", "ServiceAccount", namespace, name);
}

export function service(name: string, port: number, namespace = mainNamespace, spec: object = {}): NewObject {
  const ports = [{ name: "main", port, protocol: "TCP", targetPort: port }];
  return object("v1", "Service", namespace, name, { spec: { selector: { app: name }, ports, ...spec } });
}

export interface WorkloadWish {
  readonly namespace?: string;
  readonly replicas?: number;
  readonly account?: string;
  readonly port?: number;
  readonly configMap?: string;
  readonly secret?: string;
  /** A claim to mount that the workload does not make itself. */
  readonly claim?: string;
  readonly priorityClassName?: string;
}

export function deployment(name: string, wish: WorkloadWish): NewObject {
  const spec = {
    replicas: wish.replicas ?? 2,
    revisionHistoryLimit: 3,
    selector: selector(name),
    template: template(name, wish),
  };
  return object("apps/v1", "Deployment", wish.namespace ?? mainNamespace, name, { spec });
}

/** A stateful set with one volume, `data`, per pod. */
export function statefulSet(name: string, storage: string, wish: WorkloadWish & { serviceName: string }): NewObject {
  const { namespace = mainNamespace, replicas = 1, serviceName } = wish;
  const pod = template(name, wish, [{ name: "data", mountPath: "/data" }]);
  const volumeClaimTemplates = [{ metadata: { name: "data" }, spec: claimSpec("ReadWriteOnce", storage) }];
  const spec = { replicas, serviceName, selector: selector(name), template: pod, volumeClaimTemplates };
  return object("apps/v1", "StatefulSet", namespace, name, { spec });
}

export function daemonSet(name: string, wish: WorkloadWish): NewObject {
  return object("apps/v1", "DaemonSet", mainNamespace, name, {
    spec: { selector: selector(name), template: template(name, wish) },
  });
}

export function cronJob(name: string, schedule: string, wish: WorkloadWish): NewObject {
  const pod = template(name, wish);
  const jobTemplate = {
    spec: { backoffLimit: 2, template: { ...pod, spec: { ...pod.spec, restartPolicy: "OnFailure" } } },
  };
  const spec = { schedule, concurrencyPolicy: "Forbid", suspend: false, jobTemplate };
  return object("batch/v1", "CronJob", mainNamespace, name, { spec });
}

export function claimSpec(accessMode: string, storage: string): object {
  return { accessModes: [accessMode], resources: { requests: { storage } } };
}

export function disruptionBudget(name: string, namespace = mainNamespace): NewObject {
  return object("policy/v1", "PodDisruptionBudget", namespace, name, {
    spec: { maxUnavailable: 1, selector: selector(name) },
  });
}

/** A role, and its binding to a service account of the same namespace. */
export function roleFor(account: string, rules: readonly object[], namespace = mainNamespace): readonly NewObject[] {
  const subjects = [{ kind: "ServiceAccount", name: account, namespace }];
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: account };
  return [
    object("rbac.authorization.k8s.io/v1", "Role", namespace, account, { rules }),
    object("rbac.authorization.k8s.io/v1", "RoleBinding", namespace, account, { subjects, roleRef }),
  ];
}

function selector(name: string) {
  return { matchLabels: { app: name } };
}

function template(name: string, wish: WorkloadWish, mounts: readonly object[] = []) {
  const { account, port, configMap, secret, claim, priorityClassName } = wish;
  const container = {
    name: "main",
    image: `${registry}/${name}:1.42.0`,
    ...(port === undefined ? {} : { ports: [{ name: "main", containerPort: port, protocol: "TCP" }] }),
    env: [{ name: "POD_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } }],
    ...(configMap === undefined && secret === undefined
      ? {}
      : {
          envFrom: [
            ...(configMap === undefined ? [] : [{ configMapRef: { name: configMap } }]),
            ...(secret === undefined ? [] : [{ secretRef: { name: secret } }]),
          ],
        }),
    resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "512Mi" } },
    volumeMounts: [...mounts, ...(claim === undefined ? [] : [{ name: "shared", mountPath: "/shared" }])],
  };
  return {
    metadata: { labels: { app: name, ...partOf } },
    spec: {
      serviceAccountName: account ?? "default",
      ...(priorityClassName === undefined ? {} : { priorityClassName }),
      containers: [container],
      ...(claim === undefined ? {} : { volumes: [{ name: "shared", persistentVolumeClaim: { claimName: claim } }] }),
    },
  };
}
