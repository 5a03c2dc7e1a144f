/** On every restic snapshot: which backup it belongs to. */
export function backupTag(backupUuid: string): string {
  return `drs-backup:${backupUuid}`;
}

export function claimTag(namespace: string, claim: string): string {
  return `drs-claim:${namespace}/${claim}`;
}
