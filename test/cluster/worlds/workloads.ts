import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { anyOf, type Maker, object, type Place } from "./objects.ts";

/** The storage classes of all worlds. */
export const lateClass = "worlds-late";
export const retainedClass = "worlds-retained";

/** Its driver wants the Secret `<claim>-key` beside a claim. */
export const encryptedClass = "worlds-encrypted";

const size = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } };

/** A claim of one of many sorts, mostly with data, and what it needs. */
export const claim: Maker = ({ name, namespace, dice, world }) => {
  const storage = dice.pick(["1Mi", "1Mi", "1.5Mi", "1048577", "1153433600m", ".002Gi"]);
  const claimOf = (spec: object) =>
    object("v1", "PersistentVolumeClaim", name, namespace, {
      spec: { ...size, resources: { requests: { storage } }, ...spec },
    });
  const volume = `${world}-${name}`;
  const byHand = (source: object) =>
    object("v1", "PersistentVolume", volume, undefined, {
      spec: {
        capacity: { storage: "1Mi" },
        accessModes: ["ReadWriteOnce"],
        persistentVolumeReclaimPolicy: "Retain",
        storageClassName: "",
        claimRef: { namespace, name },
        ...source,
      },
    });
  switch (dice.between(1, 12)) {
    case 1:
      return [claimOf({ storageClassName: lateClass })];
    case 2:
      return [claimOf({ storageClassName: retainedClass })];
    case 3:
      return [
        byHand({ csi: { driver: "dir.csi.test", volumeHandle: volume } }),
        claimOf({ storageClassName: "", volumeName: volume }),
      ];
    case 4:
      return [
        byHand({ nfs: { server: "nfs.example.com", path: `/exports/${volume}` } }),
        claimOf({ storageClassName: "", volumeName: volume }),
      ];
    case 5:
      return [claimOf({ storageClassName: "" })];
    case 6: {
      const annotated = claimOf({});
      annotated.metadata.annotations = { "volume.beta.kubernetes.io/storage-class": "dir" };
      return [annotated];
    }
    case 7: {
      const key = object("v1", "Secret", `${name}-key`, namespace, { data: { passphrase: "c2VjcmV0" } });
      return [key, claimOf({ storageClassName: encryptedClass })];
    }
    case 8: {
      const own = claimOf({ storageClassName: "dir" });
      const snapshot = object("snapshot.storage.k8s.io/v1", "VolumeSnapshot", name, namespace, {
        spec: { volumeSnapshotClassName: "dir", source: { persistentVolumeClaimName: name } },
      });
      return [own, snapshot];
    }
    default:
      return [claimOf(dice.percent(50) ? { storageClassName: "dir" } : {})];
  }
};

/** Pods of the application `app`, with what there is to be used in the namespace. */
function podSpec(place: Place, app: string, more: object = {}): { metadata: object; spec: Record<string, unknown> } {
  const { dice } = place;
  const use = (kind: string, share: number) => (dice.percent(share) ? anyOf(place, kind) : undefined);
  const serviceAccountName = use("ServiceAccount", 40);
  const config = use("ConfigMap", 30);
  const priorityClassName = place.made.find(({ kind }) => kind === "PriorityClass")?.metadata.name;
  const container = {
    name: "main",
    image: "app:v1",
    ...(config !== undefined && { envFrom: [{ configMapRef: { name: config } }] }),
  };
  return {
    metadata: { labels: { app } },
    spec: {
      containers: [container],
      ...(serviceAccountName !== undefined && { serviceAccountName }),
      ...(priorityClassName !== undefined && dice.percent(50) && { priorityClassName }),
      ...more,
    },
  };
}

/** With some claims that no other pods use. */
function withClaim(place: Place, share: number): object {
  const free = place.made.filter(
    ({ kind, metadata }) => kind === "PersistentVolumeClaim" && metadata.namespace === place.namespace,
  );
  if (free.length === 0 || !place.dice.percent(share)) return {};
  return { volumes: [{ name: "data", persistentVolumeClaim: { claimName: place.dice.pick(free).metadata.name } }] };
}

const deployment: Maker = (place) => {
  const { name, namespace, dice } = place;
  const strategy = dice.pick([
    { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
    { type: "Recreate" },
  ]);
  return [
    object("apps/v1", "Deployment", name, namespace, {
      spec: {
        replicas: dice.pick([0, 1, 1, 2]),
        strategy,
        ...(dice.percent(10) && { paused: true }),
        selector: { matchLabels: { app: name } },
        template: podSpec(place, name, withClaim(place, 50)),
      },
    }),
  ];
};

const statefulSet: Maker = (place) => {
  const { name, namespace, dice } = place;
  const template = {
    metadata: { name: "data" },
    spec: { ...size, ...(dice.percent(50) && { storageClassName: "dir" }) },
  };
  const updateStrategy = dice.pick([
    { type: "RollingUpdate" },
    { type: "RollingUpdate", rollingUpdate: { partition: 1 } },
    { type: "OnDelete" },
  ]);
  return [
    object("apps/v1", "StatefulSet", name, namespace, {
      spec: {
        serviceName: name,
        replicas: dice.between(1, 2),
        updateStrategy,
        ...(dice.percent(50) && { podManagementPolicy: "Parallel" }),
        ...(dice.percent(20) && {
          persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
        }),
        selector: { matchLabels: { app: name } },
        template: podSpec(place, name),
        ...(dice.percent(70) && { volumeClaimTemplates: [template] }),
      },
    }),
  ];
};

const daemonSet: Maker = (place) => {
  const { name, namespace, dice } = place;
  const updateStrategy = dice.pick([{ type: "RollingUpdate" }, { type: "OnDelete" }]);
  const spec = { updateStrategy, selector: { matchLabels: { app: name } }, template: podSpec(place, name) };
  return [object("apps/v1", "DaemonSet", name, namespace, { spec })];
};

/** One that has finished, that has failed, that is suspended, or whose pods find no node. */
const job: Maker = (place) => {
  const { name, namespace, dice } = place;
  const nowhere = { nodeSelector: { there: "is-none" } };
  const [spec, pod] = dice.pick<[object, object]>([
    [{}, {}],
    [{ activeDeadlineSeconds: 1 }, nowhere],
    [{ suspend: true }, {}],
    [{}, nowhere],
  ]);
  const template = podSpec(place, name, { restartPolicy: "Never", ...pod });
  return [object("batch/v1", "Job", name, namespace, { spec: { ...spec, template } })];
};

const cronJob: Maker = (place) => {
  const { name, namespace, dice } = place;
  const template = podSpec(place, name, { restartPolicy: "Never" });
  const spec = { schedule: "0 0 1 1 *", suspend: dice.percent(50), jobTemplate: { spec: { template } } };
  return [object("batch/v1", "CronJob", name, namespace, { spec })];
};

const pod: Maker = (place) => {
  const { name, namespace } = place;
  const { metadata, spec } = podSpec(place, name, withClaim(place, 30));
  const made: KubernetesObject = object("v1", "Pod", name, namespace, { spec });
  Object.assign(made.metadata, metadata);
  return [made];
};

export const workloadMakers: readonly Maker[] = [
  deployment,
  deployment,
  deployment,
  statefulSet,
  statefulSet,
  daemonSet,
  job,
  cronJob,
  pod,
];

export const priorityClass: Maker = ({ world, dice }) => [
  object("scheduling.k8s.io/v1", "PriorityClass", `${world}-priority`, undefined, { value: dice.between(1, 1_000) }),
];
