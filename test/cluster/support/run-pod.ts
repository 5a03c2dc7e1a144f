import { eventually } from "./eventually.ts";
import { apiPath } from "./kubernetes-client.ts";
import { images, type RealCluster } from "./real-node.ts";

const pods = { apiVersion: "v1", resource: "pods" };

export interface ResticPod {
  readonly namespace: string;
  readonly name: string;
  /** A claim, mounted at /data or, in mode Block, as /dev/data. */
  readonly claim?: { readonly name: string; readonly block?: boolean; readonly readOnly?: boolean };
  readonly args?: readonly string[];
  readonly command?: readonly string[];
  readonly capabilities?: readonly string[];
  /** Whose entries are its environment. */
  readonly secret: string;
}

/**
 * Runs restic in a pod of a real node, as restricted as Pod Security's baseline, root and these capabilities allow, and gives its exit code
 * and log. The pod is deleted.
 */
export async function runRestic(cluster: RealCluster, pod: ResticPod): Promise<{ exitCode: number; log: string }> {
  const { namespace, name } = pod;
  const path = apiPath(pods, namespace, name);
  await cluster.kubernetes.create(apiPath(pods, namespace), manifest(pod));
  const ended = await eventually(
    `pod ${name} has ended`,
    async () => {
      const { status } = await cluster.kubernetes.get(path);
      return status?.containerStatuses?.[0]?.state?.terminated as { exitCode: number } | undefined;
    },
    { timeout: 120_000, look: () => cluster.kubectl("-n", namespace, "describe", "pod", name) },
  );
  const log = await cluster.kubectl("-n", namespace, "logs", name);
  await cluster.kubectl("-n", namespace, "delete", "pod", name, "--now");
  return { exitCode: ended.exitCode, log };
}

function manifest({ name, claim, args, command, capabilities = [], secret }: ResticPod): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsUser: 0, runAsGroup: 0, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "restic",
          image: images.restic,
          ...(args && { args }),
          ...(command && { command }),
          envFrom: [{ secretRef: { name: secret } }],
          env: [
            { name: "RESTIC_CACHE_DIR", value: "/cache" },
            { name: "TMPDIR", value: "/cache" },
          ],
          securityContext: {
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"], add: capabilities },
          },
          volumeMounts: [
            { name: "cache", mountPath: "/cache" },
            ...(claim && !claim.block ? [{ name: "data", mountPath: "/data", readOnly: claim.readOnly ?? false }] : []),
          ],
          ...(claim?.block && { volumeDevices: [{ name: "data", devicePath: "/dev/data" }] }),
        },
      ],
      volumes: [
        { name: "cache", emptyDir: {} },
        ...(claim
          ? [{ name: "data", persistentVolumeClaim: { claimName: claim.name, readOnly: claim.readOnly ?? false } }]
          : []),
      ],
    },
  };
}
