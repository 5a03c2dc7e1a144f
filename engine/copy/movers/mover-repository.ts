import type { CopiesConfig } from "../../config.ts";
import { parseRepository, type Repository, repositoryFolder } from "../../repository.ts";
import { credentialsFolder } from "./mover-scripts.ts";

/** The part of a mover's container and pod by which it has the repository. */
export interface RepositoryAccess {
  readonly env: readonly object[];
  readonly envFrom: readonly object[];
  readonly volumeMounts: readonly object[];
  readonly volumes: readonly object[];
}

/** In the Secret of passwords, hidden from those that look for passwords: how `ssh` finds its keys. */
const sshConfigKey = ".ssh_config";
const sshConfig = `IdentityFile ${credentialsFolder}/SSH_PRIVATE_KEY
UserKnownHostsFile ${credentialsFolder}/SSH_KNOWN_HOSTS
StrictHostKeyChecking yes
BatchMode yes
`;

/** What restic cannot do without, and the kubelet says when the Secret does not have it. */
const neededKeys: Readonly<Record<string, readonly string[]>> = {
  azure: ["AZURE_ACCOUNT_NAME"],
  b2: ["B2_ACCOUNT_ID", "B2_ACCOUNT_KEY"],
  sftp: ["SSH_PRIVATE_KEY", "SSH_KNOWN_HOSTS"],
};

/** What the Secret of passwords holds beside them. */
export function besidePasswords({ repository }: CopiesConfig): Readonly<Record<string, string>> {
  return repository.startsWith("sftp:") ? { [sshConfigKey]: sshConfig } : {};
}

/** `keysName` is the Secret of passwords. */
export function repositoryAccess(copies: CopiesConfig, keysName: string): RepositoryAccess {
  const { secret } = copies;
  const repository = parseRepository(copies.repository);
  const scheme = repository.url.slice(0, repository.url.indexOf(":"));
  const needed = (neededKeys[scheme] ?? []).map((key) => ({
    name: key,
    valueFrom: { secretKeyRef: { name: secret ?? "", key } },
  }));
  const isSftp = scheme === "sftp";
  return {
    env: [{ name: "RESTIC_REPOSITORY", value: repository.location }, ...needed],
    envFrom: secret === undefined ? [] : [{ secretRef: { name: secret } }],
    volumeMounts: [
      ...(secret === undefined ? [] : [{ name: "credentials", mountPath: credentialsFolder, readOnly: true }]),
      ...(repository.volume ? [{ name: "repository", mountPath: repositoryFolder }] : []),
      ...(isSftp ? [{ name: "ssh", mountPath: "/etc/ssh/ssh_config", subPath: sshConfigKey, readOnly: true }] : []),
    ],
    volumes: [
      // As a volume it is optional, so that the kubelet says by the environment that it is missing.
      ...(secret === undefined
        ? []
        : [{ name: "credentials", secret: { secretName: secret, defaultMode: 0o400, optional: true } }]),
      ...mounted(repository),
      ...(isSftp
        ? [{ name: "ssh", secret: { secretName: keysName, items: [{ key: sshConfigKey, path: sshConfigKey }] } }]
        : []),
    ],
  };
}

function mounted({ volume }: Repository): readonly object[] {
  if (volume === undefined) return [];
  if ("nfs" in volume) return [{ name: "repository", nfs: volume.nfs }];
  return [{ name: "repository", persistentVolumeClaim: { claimName: volume.claim } }];
}
