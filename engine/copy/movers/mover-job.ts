import type { CopiesConfig } from "../../config.ts";
import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";
import { jobLabel } from "../../kinds/own-labels.ts";
import { nameFor } from "../../volumes/snapshots/snapshot-objects.ts";
import { besidePasswords, repositoryAccess } from "./mover-repository.ts";
import { devicePath, keysFolder, restoredFolder } from "./mover-scripts.ts";
import { isAddress } from "./service-of-repository.ts";
import { parseRepository, type RepositoryNetwork } from "../../repository.ts";

/** On Jobs and pods of movers: the control plane's main namespace. */
export const moverLabel = "drs.cloudera.com/mover";
/** On Jobs of movers that read a volume while applications may use it. */
export const liveLabel = "drs.cloudera.com/reads-live";
/** On Jobs of movers that have the repository for themselves. */
export const exclusiveLabel = "drs.cloudera.com/exclusive";
export const moverContainer = "restic";

/** Where a job's movers run, and for whom. */
export interface MoverPlace {
  readonly copies: CopiesConfig;
  /** The namespace of movers. */
  readonly namespace: string;
  /** The job's. */
  readonly uuid: string;
  /** The control plane's main namespace. */
  readonly controlPlane: string;
}

export interface Mover {
  /** The Job's name. */
  readonly name: string;
  /** A script of `mover-scripts.ts`, and its arguments. */
  readonly script: string;
  readonly args: readonly string[];
  readonly volume?: MoverVolume;
  /** Whether it has the repository for itself, and so is not tried again by its Job. */
  readonly isExclusive?: boolean;
}

/** The volume that a mover reads or fills. */
export interface MoverVolume {
  readonly claim: string;
  readonly mode: "Filesystem" | "Block";
  /** Where files are mounted. */
  readonly path: string;
  readonly isFilled?: boolean;
  /** Applications may use it, too. */
  readonly isLive?: boolean;
  /** Where the mover has to run. */
  readonly node?: string;
}

/**
 * Reading whatever its owner and mode takes root with DAC_OVERRIDE (DAC_READ_SEARCH would do, and is not in the baseline):
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
 */
const readers = ["DAC_OVERRIDE"];
/** To give files their owners, modes (set-user-ID, too), times, devices and capabilities again. */
const writers = [...readers, "CHOWN", "FOWNER", "FSETID", "MKNOD", "SETFCAP"];

function securityContext(add: readonly string[]) {
  return {
    runAsUser: 0,
    runAsGroup: 0,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"], add },
    seccompProfile: { type: "RuntimeDefault" },
  };
}

/** The exit codes of restic that stay the same when it is tried again at once: partial read, no repository, wrong password. */
const finalExitCodes = [3, 10, 12];

/** The Job of a mover. Its pod has no token for the API server, and nothing of the host. */
export function moverJob(place: MoverPlace, mover: Mover): KubernetesObject {
  const { copies, namespace } = place;
  const labels = labelsOf(place);
  const { volume } = mover;
  const isFile = volume?.mode === "Filesystem";
  const readOnly = volume?.isFilled !== true;
  const repository = repositoryAccess(copies, keysName(place));
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: mover.name,
      namespace,
      labels: {
        ...labels,
        ...(volume?.isLive === true && { [liveLabel]: "true" }),
        ...(mover.isExclusive && { [exclusiveLabel]: "true" }),
      },
    },
    spec: {
      backoffLimit: mover.isExclusive ? 0 : 2,
      podFailurePolicy: {
        rules: [
          { action: "FailJob", onExitCodes: { containerName: moverContainer, operator: "In", values: finalExitCodes } },
        ],
      },
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: "Never",
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          nodeSelector: copies.nodeSelector,
          ...(volume?.node !== undefined && { affinity: affinityTo(volume.node) }),
          tolerations: copies.tolerations,
          containers: [
            {
              name: moverContainer,
              image: copies.image,
              command: ["sh", "-c", mover.script, "mover", ...mover.args],
              env: [...environment, ...repository.env],
              envFrom: repository.envFrom,
              resources: { requests: copies.resources, limits: copies.resources },
              securityContext: securityContext(readOnly ? readers : writers),
              volumeMounts: [
                { name: "scratch", mountPath: "/tmp" },
                ...(readOnly ? [] : [{ name: "scratch", mountPath: restoredFolder, subPath: "restored" }]),
                { name: "keys", mountPath: keysFolder, readOnly: true },
                ...repository.volumeMounts,
                ...(isFile ? [{ name: "data", mountPath: volume.path, readOnly }] : []),
              ],
              ...(volume && !isFile && { volumeDevices: [{ name: "data", devicePath }] }),
            },
          ],
          volumes: [
            { name: "scratch", emptyDir: {} },
            { name: "keys", secret: { secretName: keysName(place), defaultMode: 0o400 } },
            ...repository.volumes,
            ...(volume ? [{ name: "data", persistentVolumeClaim: claimOf(volume) }] : []),
          ],
        },
      },
    },
  };
}

/** Of a live volume the kubelet changes nothing either then: no group, no SELinux label. */
function claimOf({ claim, isLive }: MoverVolume): object {
  return { claimName: claim, ...(isLive === true && { readOnly: true }) };
}

/** The scheduler's choice of one node, so that its taints and room count, as they do not with `nodeName`. */
function affinityTo(node: string): object {
  const matchFields = [{ key: "metadata.name", operator: "In", values: [node] }];
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } } };
}

const environment = Object.entries({
  RESTIC_CACHE_DIR: "/tmp/cache",
  RESTIC_PROGRESS_FPS: "0.2",
  HOME: "/tmp",
  TMPDIR: "/tmp",
  TZ: "UTC",
}).map(([name, value]) => ({ name, value }));

/** The Secret with the repository's passwords, in the order in which they are tried. */
export function keysSecret(place: MoverPlace, passwords: readonly string[]): KubernetesObject {
  const data = passwords.map((password, index) => [String(index).padStart(2, "0"), password]);
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: keysName(place), namespace: place.namespace, labels: labelsOf(place) },
    type: "Opaque",
    stringData: { ...(Object.fromEntries(data) as Record<string, string>), ...besidePasswords(place.copies) },
  };
}

/**
 * Nothing reaches a job's movers, and they reach the repository and the cluster's DNS; where the repository is mounted, by their node,
 * nothing.
 */
export function moverPolicy(place: MoverPlace, serviceNamespace?: string): KubernetesObject {
  const { network } = parseRepository(place.copies.repository);
  const dns = { ports: ["UDP", "TCP"].map((protocol) => ({ protocol, port: 53 })) };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: policyName(place), namespace: place.namespace, labels: labelsOf(place) },
    spec: {
      podSelector: { matchLabels: { [jobLabel]: place.uuid } },
      policyTypes: ["Ingress", "Egress"],
      egress: network ? [dns, egressTo(network, serviceNamespace)] : [],
    },
  };
}

/**
 * A repository whose URL names no address may be anywhere: only its port is said. A Service's pods, in this namespace, may listen on
 * other ports than it does.
 */
function egressTo({ server, port }: RepositoryNetwork, serviceNamespace: string | undefined): object {
  if (serviceNamespace !== undefined)
    return { to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": serviceNamespace } } }] };
  const ports = [{ protocol: "TCP", port }];
  return { ports, ...(server && isAddress(server.host) && { to: [{ ipBlock: { cidr: `${server.host}/32` } }] }) };
}

export function keysName({ uuid, namespace }: Pick<MoverPlace, "uuid" | "namespace">): string {
  return nameFor(uuid, namespace, "/keys");
}

export function policyName({ uuid, namespace }: Pick<MoverPlace, "uuid" | "namespace">): string {
  return nameFor(uuid, namespace, "/policy");
}

function labelsOf({ uuid, controlPlane }: MoverPlace): Record<string, string> {
  return { [jobLabel]: uuid, [moverLabel]: controlPlane };
}
