import { expect, test } from "vitest";
import { keysSecret, moverJob, moverPolicy } from "../../../engine/copy/movers/mover-job.ts";
import { parseRepository } from "../../../engine/repository.ts";
import { copies } from "./copying-scene.ts";

const place = { copies, namespace: "drs", uuid: "0e5e9b8b-1ed6-4d68-a7ce-0d1a3c8cd7a2", controlPlane: "cdp" };
const volume = { claim: "clone", mode: "Filesystem", path: "/volumes/cdp/data" } as const;

function podOf(job: object) {
  const { spec } = job as { spec: { template: { spec: Record<string, unknown> & { containers: [Container] } } } };
  return spec.template.spec;
}

interface Container {
  readonly command: readonly string[];
  readonly securityContext: { readonly capabilities: object };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly volumeDevices?: object;
}

test("a mover has no token, nothing of the host, one capability, and reads only", () => {
  const pod = podOf(moverJob(place, { name: "m", script: "true", args: [], volume }));
  const [container] = pod.containers;
  expect(pod).toMatchObject({ automountServiceAccountToken: false, restartPolicy: "Never" });
  for (const shared of ["hostNetwork", "hostPID", "hostIPC", "serviceAccountName"])
    expect(pod).not.toHaveProperty(shared);
  expect(container.securityContext).toMatchObject({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"], add: ["DAC_OVERRIDE"] },
    seccompProfile: { type: "RuntimeDefault" },
  });
  expect(container.volumeMounts.find(({ name }) => name === "data")).toEqual({
    name: "data",
    mountPath: "/volumes/cdp/data",
    readOnly: true,
  });
  expect(JSON.stringify(pod["volumes"])).not.toContain("hostPath");
});

test("what names of claims hold is an argument of the mover's script, never a part of it", () => {
  const [{ command }] = podOf(moverJob(place, { name: "m", script: "true", args: ["$(rm -rf /)"], volume })).containers;
  expect(command).toEqual(["sh", "-c", "true", "mover", "$(rm -rf /)"]);
});

test("a block volume is a device of the mover, and not mounted", () => {
  const pod = podOf(moverJob(place, { name: "m", script: "true", args: [], volume: { ...volume, mode: "Block" } }));
  expect(pod.containers[0].volumeDevices).toEqual([{ name: "data", devicePath: "/dev/drs-volume" }]);
  expect(pod.containers[0].volumeMounts.map(({ name }) => name)).not.toContain("data");
});

test.each([
  [
    "s3:http://10.0.0.7:7070/drs",
    { ports: [{ protocol: "TCP", port: 7_070 }], to: [{ ipBlock: { cidr: "10.0.0.7/32" } }] },
  ],
  ["s3:s3.amazonaws.com/drs", { ports: [{ protocol: "TCP", port: 443 }] }],
  [
    "s3:http://minio.storage.svc:9000/drs",
    { to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "storage" } } }] },
  ],
])("movers reach their repository and the cluster's DNS, and nothing reaches them: %s", (repository, rule) => {
  const { serviceNamespace } = parseRepository(repository).network?.server ?? {};
  const { spec } = moverPolicy({ ...place, copies: { ...copies, repository } }, serviceNamespace) as unknown as {
    spec: { egress: readonly object[] };
  };
  expect(spec).toMatchObject({
    policyTypes: ["Ingress", "Egress"],
    podSelector: { matchLabels: { "drs.cloudera.com/job": place.uuid } },
  });
  expect(spec).not.toHaveProperty("ingress");
  expect(spec.egress[1]).toEqual(rule);
  expect(spec.egress).toHaveLength(2);
});

test.each([
  ["claim:copies/cdp", "/drs/repository/cdp", { persistentVolumeClaim: { claimName: "copies" } }],
  ["nfs:nas.example:/export", "/drs/repository", { nfs: { server: "nas.example", path: "/export" } }],
])(
  "a repository that is a claim or a share is mounted, and its movers reach nothing: %s",
  (repository, folder, source) => {
    const { secret: _, ...withoutSecret } = copies;
    const there = { ...place, copies: { ...withoutSecret, repository } };
    const pod = podOf(moverJob(there, { name: "m", script: "true", args: [], volume }));
    const [container] = pod.containers as unknown as [{ env: object[]; envFrom: object[]; volumeMounts: object[] }];
    expect(container.env).toContainEqual({ name: "RESTIC_REPOSITORY", value: folder });
    expect(container.envFrom).toEqual([]);
    expect(container.volumeMounts).toContainEqual({ name: "repository", mountPath: "/drs/repository" });
    expect(pod["volumes"]).toContainEqual({ name: "repository", ...source });
    expect(moverPolicy(there)).toMatchObject({ spec: { egress: [], policyTypes: ["Ingress", "Egress"] } });
  },
);

test("a repository reached by SSH takes its key and its hosts' keys from the Secret, and no host that they do not name", () => {
  const there = { ...place, copies: { ...copies, repository: "sftp:drs@backup.example:/srv/drs" } };
  const [container] = podOf(moverJob(there, { name: "m", script: "true", args: [] })).containers;
  expect(container.volumeMounts).toContainEqual(expect.objectContaining({ mountPath: "/etc/ssh/ssh_config" }));
  const { stringData } = keysSecret(there, ["password"]) as unknown as { stringData: Record<string, string> };
  expect(stringData["00"]).toBe("password");
  expect(stringData[".ssh_config"]).toContain("IdentityFile /drs/credentials/SSH_PRIVATE_KEY");
  expect(stringData[".ssh_config"]).toContain("StrictHostKeyChecking yes");
});
